local budget = require "gridcentric.policy.budget"
local min_of = require "gridcentric.policy.min_of"
local ratio = require "gridcentric.policy.ratio"
local support = require "spec.support.policy"

local ask, error_of, saying = support.ask, support.error_of, support.saying

describe("min_of", function()
	it("wants as many as the part that wants least, and says why", function()
		local scale = min_of { ratio {}, budget { cpus = 4 } }
		assert.same({ 4, "12 sessions, 2 per clone; at most 4 by budget of 4 CPUs, 1 per clone" },
			{ ask(scale, { sessions = 12 }) })
		assert.same({ 3, "6 sessions, 2 per clone" }, { ask(scale, { sessions = 6 }) })
	end)

	it("goes down but not up while a part lacks a metric", function()
		local missing = saying { nil, "metric heap is missing", "MISSING" }
		local scale = min_of { saying { 4, "a" }, missing }
		assert.equal(4, (ask(scale, { clones = 5 })))
		for clones = 0, 4 do
			assert.equal("MISSING", (select(3, ask(scale, { clones = clones }))))
		end
	end)

	it("checks its parts at once", function()
		assert.equal("min_of: item 1: missing", error_of(function() min_of {} end))
	end)
end)
