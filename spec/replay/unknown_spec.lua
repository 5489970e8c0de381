local unknown = require "gridcentric.replay.unknown"

describe("unknown", function()
	local sample = {
		sessions = 3, requests = 0, latency = { p50 = 0, p95 = 0, p99 = 0 }, my = { jobs = 2 },
	}

	it("names what was read and is not in the trace", function()
		local noted = unknown.new { measured = { memory = {}, ["my.jobs"] = {} } }
		local view = noted:watch(sample)
		assert.same({}, noted:names())
		assert.equal(3, view.sessions)
		assert.equal(2, view.my.jobs)
		assert.is_nil(view.memory)
		assert.same({}, noted:names())
		assert.is_nil(view.cpu)
		assert.equal(0, view.latency.p95)
		assert.is_nil(view.my.queue)
		assert.equal(0, view.requests)
		assert.same({ "cpu", "latency.p95", "my.queue", "requests" }, noted:names())
	end)

	it("shows the sample that was given last, as a whole too", function()
		local noted = unknown.new { measured = {} }
		local view = noted:watch(sample)
		assert.equal(view, noted:watch { sessions = 4, latency = {}, my = {} })
		assert.equal(4, view.sessions)
		noted:watch(sample)
		local copy = {}
		for key, value in pairs(view) do copy[key] = value end
		assert.same(sample, copy)
		assert.same({}, noted:names())
	end)
end)
