local registry = require "gridcentric.metrics.registry"

describe("the registry of metrics", function()
	it("reads and writes a metric by its path", function()
		local sample = {}
		for _, entry in ipairs(registry.LIST) do
			local read = registry.reader(entry.name)
			assert.is_nil(read(sample))
			registry.set(sample, entry.name, 7)
			assert.equal(7, read(sample), entry.name)
		end
		assert.same({ p50 = 7, p95 = 7, p99 = 7 }, sample.latency)
		registry.set(sample, "my.jobs", 3)
		assert.equal(3, sample.my.jobs)
	end)

	it("knows a service without load and clones", function()
		local sample = registry.idle()
		assert.equal(0, sample.sessions)
		assert.equal(0, sample.cpu)
		assert.equal(0, sample.memory)
		assert.same({ p50 = 0, p95 = 0, p99 = 0 }, sample.latency)
		assert.is_nil(sample.memory_per_clone)
		assert.is_nil(sample.heap)
		assert.are_not.equal(sample.my, registry.idle().my)
	end)

	it("describes each metric in full", function()
		local kinds = { total = true, average = true, fact = true }
		local sources = { proxy = true, gcscale = true, kernel = true, program = true }
		for _, entry in ipairs(registry.LIST) do
			assert.is_true(kinds[entry.kind], entry.name)
			assert.is_true(sources[entry.source], entry.name)
			assert.matches("%.$", entry.text)
			assert(entry.noun or entry.unit, entry.name)
		end
	end)
end)
