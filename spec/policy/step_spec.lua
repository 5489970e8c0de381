local step = require "gridcentric.policy.step"
local support = require "spec.support.policy"

local ask, error_of = support.ask, support.error_of

describe("step", function()
	it("has as many clones as the last tier that has begun", function()
		local scale = step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }
		local expected = { [0] = 0, [1] = 1, [9] = 1, [10] = 2, [99] = 2, [100] = 8, [5000] = 8 }
		for connections, clones in pairs(expected) do
			assert.equal(clones, (ask(scale, { connections = connections })))
		end
	end)

	it("says which tier that is", function()
		local scale = step { metric = "latency.p95", { "100ms", 2 }, { "1s", 4 } }
		local function reason(p95) return select(2, ask(scale, { latency = { p95 = p95 } })) end
		assert.equal("latency.p95 250 ms, tier from 100 ms", reason(0.25))
		assert.equal("latency.p95 2 s, tier from 1 s", reason(2))
		assert.equal("latency.p95 50 ms, below 100 ms", reason(0.05))
	end)

	it("says which metric is missing", function()
		local scale = step { metric = "cpu", { 0, 1 } }
		assert.same({ nil, "metric cpu is missing", "MISSING" }, { ask(scale) })
	end)

	it("checks its options at once", function()
		local function wrong(given) return error_of(function() step(given) end) end
		assert.equal("step: item 1: missing", wrong { metric = "cpu" })
		assert.equal("step: metric: missing", wrong { { 1, 1 } })
		assert.equal("step: item 1: a tier { from, clones } expected", wrong { metric = "cpu", 3 })
		assert.equal("step: item 2: clones: a whole number from 0 expected, got 1.5", wrong {
			metric = "cpu", { 1, 1 }, { 2, 1.5 },
		})
		assert.equal('step: item 1: from: a number, or text with a unit, expected, got "x"', wrong {
			metric = "cpu", { "x", 1 },
		})
		assert.equal("step: item 1: from: cpu is measured in % of one core: a number with a unit "
			.. "expected, such as 80%, got 80", wrong { metric = "cpu", { 80, 4 } })
		assert.equal("step: item 2: from has to be more than in the item before", wrong {
			metric = "cpu", { "20%", 1 }, { 0.2, 3 },
		})
	end)
end)
