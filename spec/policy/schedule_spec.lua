local schedule = require "gridcentric.policy.schedule"
local support = require "spec.support.policy"

local ask, error_of = support.ask, support.error_of

local MONDAY_NOON = 1704067200 + 12 * 3600 -- UTC

describe("schedule", function()
	it("has so many clones at its times", function()
		local scale = schedule {
			{ when = "Mon 11:00-13:00", clones = 6 },
			{ when = "Mon-Fri 08:00-18:00", clones = 4 },
			zone = "utc", default = 1,
		}
		local function at(hours) return ask(scale, { time = MONDAY_NOON + hours * 3600 }) end
		assert.same({ 6, "schedule Mon 11:00-13:00" }, { at(0) })
		assert.same({ 4, "schedule Mon-Fri 08:00-18:00" }, { at(2) })
		assert.same({ 1, "no time of the schedule" }, { at(7) })
	end)

	it("has no opinion at other times without a default", function()
		local scale = schedule { { when = "Tue UTC", clones = 6 } }
		assert.same({ nil, "no time of the schedule" }, { ask(scale, { time = MONDAY_NOON }) })
	end)

	it("looks at the time of day in the sample, not at the controller's clock", function()
		local scale = schedule { { when = "Mon UTC", clones = 6 } }
		assert.same({ nil, "metric time is missing", "MISSING" }, { ask(scale) })
		assert.equal(6, (scale(0, { time = MONDAY_NOON }, {})))
	end)

	it("checks its options at once", function()
		local function wrong(given) return error_of(function() schedule(given) end) end
		assert.equal("schedule: item 1: missing", wrong {})
		assert.equal("schedule: item 1: clones: missing", wrong { { when = "Mon" } })
		assert.equal('schedule: item 1: when: "Mo": column 1: days as Mon-Fri or times as 08:00-18:00 '
			.. 'expected, got "Mo"', wrong { { when = "Mo", clones = 1 } })
		assert.equal('schedule: zone: "local" or "utc" expected, got "CET"', wrong {
			{ when = "Mon", clones = 1 }, zone = "CET",
		})
	end)
end)
