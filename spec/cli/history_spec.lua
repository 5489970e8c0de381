local history = require "gridcentric.cli.history"

describe("history", function()
	it("shows rows of the ledger, each on one line", function()
		local lines = history.lines("events", {
			{ at = 1700000000123, engine = "chat-71", what = "died", vmid = 3, text = "a\n\xC2\x9Bb" },
			{ at = 1700000000123, engine = "chat-71", what = "decision", json = { id = 12 } },
		})
		assert.equal(3, #lines)
		assert.matches("^TIME +SERVICE +EVENT +CLONE +TEXT$", lines[1])
		assert.matches("^%d+%-%d+%-%d+ [%d:]+%.123  chat%-71  died +3  a b$", lines[2])
		assert.matches("decision 12 +%-  %-$", lines[3])
	end)

	it("shows an event on a line of its own, to be followed", function()
		local line = history.line {
			at = 1700000000123, engine = "chat-71", what = "died", vmid = 3, text = "a\nb",
		}
		assert.matches("^%d+%-%d+%-%d+ [%d:]+%.123  chat%-71  +died  +3  a b$", line)
		assert.matches("decision +%-  x$", history.line {
			at = 0, engine = "c-1", what = "decision", text = "x",
		})
	end)

	it("shows events on several lines in a narrow terminal, and cuts nothing", function()
		local event = {
			at = 1700000000123, engine = "chat-71", what = "died", vmid = 3,
			text = "clone 3 died after 12 s: exit status 9, and again",
		}
		local lines = history.lines("events", { event }, 40)
		assert.matches("^%d%d:%d%d:%d%d died 3 chat%-71$", lines[1])
		assert.same({ "  clone 3 died after 12 s: exit status", "  9, and again" },
			table.move(lines, 2, #lines, 1, {}))
		assert.equal(table.concat(lines, "\n"), history.line(event, 40))
		assert.is_true(#history.lines("events", { event }, 1) > 20)
	end)

	it("shows details of any kind", function()
		for _, json in ipairs { 1, "x", false, { id = 1.0 }, { { {} } } } do
			assert.is_string(history.line { at = 0, engine = "c-1", what = "decision", json = json })
		end
	end)
end)
