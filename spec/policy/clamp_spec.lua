local clamp = require "gridcentric.policy.clamp"
local support = require "spec.support.policy"

local ask, error_of, saying = support.ask, support.error_of, support.saying

describe("clamp", function()
	it("keeps its part within bounds", function()
		local answer = { 5, "five" }
		local scale = clamp { min = 2, max = 4, saying(answer) }
		assert.same({ 4, "five; at most 4" }, { ask(scale) })
		answer[1] = 3
		assert.same({ 3, "five" }, { ask(scale) })
		answer[1] = 1
		assert.same({ 2, "five; at least 2" }, { ask(scale) })
	end)

	it("has no bounds but those that are given", function()
		assert.equal(500, (ask(clamp { 500 })))
		assert.equal(0, (ask(clamp { max = 3, 0 })))
	end)

	it("has no opinion if its part has none", function()
		assert.same({ nil, "why" }, { ask(clamp { min = 2, saying { nil, "why" } }) })
		assert.same({ nil, "gone", "MISSING" }, { ask(clamp { saying { nil, "gone", "MISSING" } }) })
	end)

	it("checks its arguments at once", function()
		local function wrong(given) return error_of(function() clamp(given) end) end
		assert.equal("clamp: min is 3, but max 2", wrong { min = 3, max = 2, 1 })
		assert.equal("clamp: item 1: missing", wrong { min = 3 })
		assert.equal("clamp: one policy expected (max_of or min_of join several)", wrong { 1, 2 })
	end)
end)
