local during = require "gridcentric.policy.during"
local support = require "spec.support.policy"

local ask, error_of, saying = support.ask, support.error_of, support.saying

local MONDAY_NOON = 1704067200 + 12 * 3600 -- UTC
local EVENING = MONDAY_NOON + 8 * 3600

describe("during", function()
	local day = saying { 4, "day" }

	it("asks one policy at its times, another at others", function()
		local scale = during { when = "Mon 08:00-18:00 UTC", day, otherwise = saying { 1, "night" } }
		assert.same({ 4, "day; in Mon 08:00-18:00 UTC" }, { ask(scale, { time = MONDAY_NOON }) })
		assert.same({ 1, "night; not in Mon 08:00-18:00 UTC" }, { ask(scale, { time = EVENING }) })
	end)

	it("has no opinion at other times if there is no other policy", function()
		local scale = during { when = "08:00-18:00", zone = "utc", day }
		assert.same({ nil, "not in 08:00-18:00" }, { ask(scale, { time = EVENING }) })
	end)

	it("says that the time is missing", function()
		assert.equal("MISSING", (select(3, ask(during { when = "Mon", day }))))
	end)

	it("keeps the states of its policies apart", function()
		local inside_states, outside_states, state = {}, {}, {}
		local scale = during {
			when = "Mon 08:00-18:00 UTC", saying({ 1, "a" }, inside_states),
			otherwise = saying({ 2, "b" }, outside_states),
		}
		for _, time in ipairs { MONDAY_NOON, EVENING, MONDAY_NOON } do
			ask(scale, { time = time }, state)
		end
		assert.equal(inside_states[1], inside_states[2])
		assert.not_equal(inside_states[1], outside_states[1])
	end)

	it("checks its arguments at once", function()
		local function wrong(given) return error_of(function() during(given) end) end
		assert.equal("during: when: missing", wrong { day })
		assert.equal("during: item 1: missing", wrong { when = "Mon" })
		assert.equal('during: when: "noon": column 1: days as Mon-Fri or times as 08:00-18:00 '
			.. 'expected, got "noon"', wrong { when = "noon", day })
		assert.equal("during: one policy expected (max_of or min_of join several)",
			wrong { when = "Mon", 1, 2 })
	end)
end)
