local first_of = require "gridcentric.policy.first_of"
local support = require "spec.support.policy"

local ask, error_of, saying = support.ask, support.error_of, support.saying

local missing = saying { nil, "metric cpu is missing", "MISSING" }

describe("first_of", function()
	it("says what the first part with an opinion says", function()
		local first = {}
		local scale = first_of { saying(first), saying { 4, "b" }, 7 }
		assert.same({ 4, "b" }, { ask(scale) })
		first[1], first[2] = 2, "a"
		assert.same({ 2, "a" }, { ask(scale) })
	end)

	it("has parts stand in for those that lack a metric", function()
		assert.same({ 4, "b; metric cpu is missing" }, { ask(first_of { missing, saying { 4, "b" } }) })
	end)

	it("tells which part that is, where it gives no reason", function()
		assert.same({ 3, "part 2" }, { ask(first_of { saying {}, 3 }) })
	end)

	it("may have no opinion", function()
		assert.same({ nil, "no opinion" }, { ask(first_of { saying {}, saying {} }) })
		assert.same({ nil, "metric cpu is missing", "MISSING" }, { ask(first_of { saying {}, missing }) })
	end)

	it("checks its parts at once", function()
		assert.equal("first_of: item 1: missing", error_of(function() first_of {} end))
	end)
end)
