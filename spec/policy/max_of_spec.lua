local max_of = require "gridcentric.policy.max_of"
local support = require "spec.support.policy"

local ask, error_of, saying = support.ask, support.error_of, support.saying

describe("max_of", function()
	it("wants as many as the part that wants most", function()
		local first, second = { 2, "two users" }, { 4, "schedule Mon" }
		local scale = max_of { saying(first), saying(second) }
		assert.same({ 4, "two users; at least 4 by schedule Mon" }, { ask(scale) })
		first[1] = 5
		assert.same({ 5, "two users" }, { ask(scale) })
		first[1] = 4
		assert.same({ 4, "two users" }, { ask(scale) })
	end)

	it("rounds fractions up, and bears parts without a reason", function()
		local scale = max_of { saying { 1.5 }, saying { 2.5 } }
		assert.same({ 3, "at least 3" }, { ask(scale) })
	end)

	it("takes numbers for parts", function()
		assert.same({ 2, "none; at least 2" }, { ask(max_of { saying { 0, "none" }, 2 }) })
	end)

	it("leaves out who has no opinion", function()
		assert.same({ 3, "b" }, { ask(max_of { saying {}, saying { 3, "b" } }) })
		assert.same({ nil, "no opinion" }, { ask(max_of { saying {}, saying { nil, "why" } }) })
	end)

	it("goes up but not down while a part lacks a metric", function()
		local missing = saying { nil, "metric cpu is missing", "MISSING" }
		local scale = max_of { missing, saying { 4, "a" } }
		local expected = { 4, "a; metric cpu is missing" }
		assert.same(expected, { ask(scale, { clones = 2, coming = 1 }) })
		for clones = 4, 6 do
			local desired, reason, code = ask(scale, { clones = clones })
			assert.is_nil(desired)
			assert.equal("metric cpu is missing", reason)
			assert.equal("MISSING", code)
		end
		assert.equal("MISSING", (select(3, ask(max_of { missing }))))
	end)

	it("asks all parts each time, each with a state of its own", function()
		local first_states, second_states, state = {}, {}, {}
		local scale = max_of { saying({ 1, "a" }, first_states), saying({ 2, "b" }, second_states) }
		ask(scale, {}, state)
		ask(scale, {}, state)
		assert.equal(2, #first_states)
		assert.equal(first_states[1], first_states[2])
		assert.equal(second_states[1], second_states[2])
		assert.not_equal(first_states[1], second_states[1])
	end)

	it("blames a part that says nonsense", function()
		for _, nonsense in ipairs { "two", -1, 0 / 0, math.huge, {} } do
			local ok, err = pcall(ask, max_of { 1, saying { nonsense } })
			assert.is_false(ok)
			assert.matches("^part 2 returned .*, not a number of clones$", err)
		end
	end)

	it("checks its parts at once", function()
		local function wrong(parts) return error_of(function() max_of(parts) end) end
		assert.equal("max_of: item 1: missing", wrong {})
		assert.equal('max_of: item 2: a policy or a number of clones expected, got "3"', wrong { 1, "3" })
		assert.equal("max_of: item 1: a policy or a number of clones expected, got -1", wrong { -1 })
		assert.equal('max_of: unknown key "min" (there are none)', wrong { 1, min = 2 })
		assert.equal("max_of: a table expected, got nothing", error_of(function() max_of() end))
	end)
end)
