local explain = require "gridcentric.cli.explain"

describe("explain", function()
	local at = os.time { year = 2026, month = 11, day = 23, hour = 12, min = 3, sec = 4 } * 1000 + 250

	local function decide(changes, events)
		local decision = {
			id = 7, desired = 3, before = 2, wanted = 3, reason = "5 sessions, 2 per clone",
			limits = {}, actions = { make = 1, retire = 0 },
		}
		for key, value in pairs(changes) do decision[key] = value end
		local event = { at = at, engine = "chat-71", what = "decision", json = decision }
		return explain.decision(event, events or {})
	end

	local function ready(vmid, ms) return { what = "ready", vmid = vmid, json = { ms = ms } } end

	it("says what was asked for, and what was done", function()
		assert.equal("At 2026-11-23 12:03:04 the policy of chat asked for 3 clones: "
			.. "5 sessions, 2 per clone. There were 2, so 1 was made (clone 3, after 4 ms).",
			decide({}, { ready(3, 4) }))
	end)

	it("says what the plan allowed", function()
		assert.matches("asked for 9 clones: .* The plan allows 3: at most 3%. There were 2, so",
			decide { desired = 9, limits = { "at most 3" } })
	end)

	it("says what is not done yet", function()
		assert.matches("There was none, so 3 were planned; none is ready yet%.$",
			decide { before = 0, actions = { make = 3 } })
		assert.matches("There was none, so 3 were planned; ready so far: 1 %(clone 1, after 4 ms%)%.$",
			decide({ before = 0, actions = { make = 3 } }, { ready(1, 4) }))
	end)

	it("says what failed", function()
		local text = decide({ before = 1, actions = { make = 2 } },
			{ { what = "failed", text = "2 of 2 clones could not be made: no room" } })
		assert.matches("There was 1, so 2 were planned; none is ready yet%. "
			.. "2 of 2 clones could not be made: no room%.$", text)
	end)

	it("says which were ended, and that none could be", function()
		local down = { desired = 0, wanted = 0, actions = { make = 0, retire = 2 } }
		assert.matches("asked for no clone: .* There were 2, so 2 were ended %(clone 1; clone 2%)%.$",
			decide(down, { { what = "drain", vmid = 1 }, { what = "drain", vmid = 2 } }))
		assert.matches("There were 2; none was free to be ended yet%.$", decide(down))
	end)

	it("names a few of many", function()
		local events = {}
		for i = 1, 40 do events[i] = ready(i, 9) end
		assert.matches("40 were made %(clone 1, after 9 ms; clone 2, after 9 ms; clone 3, after 9 ms; "
			.. "%.%.%.; clone 40, after 9 ms%)%.$",
			decide({ before = 0, desired = 40, wanted = 40, actions = { make = 40 } }, events))
	end)
end)
