local suggest = require "gridcentric.util.suggest"

describe("suggest", function()
	local COMMANDS = {}
	for name in ("run status tickets events why check record replay reload pause resume scale drain "
		.. "kill image"):gmatch "%l+" do COMMANDS[name] = true end

	it("counts the steps from one text to another", function()
		assert.equal(0, suggest.distance("abc", "abc"))
		assert.equal(3, suggest.distance("", "abc"))
		assert.equal(3, suggest.distance("kitten", "sitting"))
		assert.equal(1, suggest.distance("listn", "listen"))
		assert.equal(1, suggest.distance("mni", "min"))
	end)

	it("finds a word that is misspelled, or only begun", function()
		for word, meant in pairs {
			staus = "status", stauts = "status", stat = "status", evnts = "events", rum = "run",
			imge = "image", STATUS = "status", replya = "replay", checks = "check",
		} do
			assert.equal(meant, suggest.nearest(COMMANDS, word), word)
		end
	end)

	it("has no suggestion that is far-fetched", function()
		for _, word in ipairs { "stop", "version", "logs", "help", "replicas", "", "x",
			("status"):rep(50000) } do
			assert.is_nil(suggest.nearest(COMMANDS, word))
			assert.equal("", suggest.hint(COMMANDS, word))
		end
	end)

	it("knows synonyms of known words", function()
		local synonyms = { logs = "events", rm = "delete" }
		assert.equal(' (did you mean "events"?)', suggest.hint(COMMANDS, "logs", synonyms))
		assert.equal("events", suggest.nearest(COMMANDS, "Logs", synonyms))
		assert.is_nil(suggest.nearest(COMMANDS, "rm", synonyms))
	end)

	it("gives always the same of several that are near", function()
		local known = { bat = 1, cat = 1, hat = 1 }
		for _ = 1, 20 do assert.equal("bat", suggest.nearest(known, "rat")) end
	end)
end)
