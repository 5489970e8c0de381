local budget = require "gridcentric.policy.budget"
local support = require "spec.support.policy"

local ask, error_of = support.ask, support.error_of

describe("budget", function()
	it("divides CPUs by what is set aside for a clone", function()
		assert.same({ 8, "budget of 8 CPUs, 1 per clone" }, { ask(budget { cpus = 8 }) })
		assert.equal(3, (ask(budget { cpus = 0.3, cpus_per_clone = 0.1 })))
		assert.equal(2, (ask(budget { cpus = 8, cpus_per_clone = 3 })))
		assert.equal(0, (ask(budget { cpus = 0.5 })))
	end)

	it("divides memory by what is set aside for a clone", function()
		local scale = budget { memory = "2 GB", memory_per_clone = "300 MB" }
		assert.same({ 6, "budget of 2 GB memory, 300 MB per clone" }, { ask(scale) })
	end)

	describe("of private memory", function()
		local scale = budget { private_memory = "1 GB" }

		it("counts a clone at its average private memory", function()
			local desired, reason = ask(scale, { memory_per_clone = 250e6, heap = 40e6, clones = 2 })
			assert.equal(4, desired)
			assert.equal("budget of 1 GB private memory, 250 MB per clone", reason)
		end)

		it("counts it at the whole Lua heap, if that is more: a collection unshares it", function()
			assert.equal(10, (ask(scale, { memory_per_clone = 1e6, heap = 100e6, clones = 2 })))
		end)

		it("allows no more because clones have just been made and share all", function()
			for clones = 0, 20 do
				local own = clones > 0 and 1e5 or 0
				local load = { heap = 1e8, clones = clones, memory = clones * own, memory_per_clone = own }
				assert.equal(10, (ask(scale, load)))
			end
		end)

		it("bears a program without a Lua heap, and no clones", function()
			assert.equal(2, (ask(scale, { memory_per_clone = 500e6, clones = 1 })))
			assert.equal(10, (ask(scale, { heap = 100e6 })))
		end)

		it("allows a first clone to be measured, where nothing is known", function()
			local reason = "budget of 1 GB private memory, to be measured on a first clone"
			assert.same({ 1, reason }, { ask(scale) })
			assert.equal(1, (ask(scale, { memory_per_clone = 0 })))
			assert.same({ nil, "metric memory_per_clone is missing", "MISSING" },
				{ ask(scale, { clones = 1 }) })
		end)
	end)

	it("takes the lowest of several limits", function()
		local scale = budget { cpus = 8, memory = 4e9, memory_per_clone = 1e9, private_memory = 1e9 }
		assert.equal(4, (ask(scale, { heap = 1e8 })))
		local desired, reason = ask(scale, { heap = 5e8 })
		assert.equal(2, desired)
		assert.equal("budget of 1 GB private memory, 500 MB per clone", reason)
	end)

	it("checks its options at once", function()
		local function wrong(given) return error_of(function() budget(given) end) end
		assert.equal("budget: cpus, memory or private_memory: missing", wrong {})
		assert.equal("budget: memory_per_clone: missing", wrong { memory = "1 GB" })
		assert.equal('budget: memory: a size in bytes or such as "512 MB" expected, '
			.. 'got "1 s"', wrong { memory = "1 s" })
		assert.equal('budget: unknown key "cpu" (did you mean "cpus"?)', wrong { cpu = 3 })
	end)
end)
