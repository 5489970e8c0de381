local metric = require "gridcentric.policy.metric"

describe("policy metric", function()
	it("is read from a sample by its path", function()
		local sample = { cpu = 0.5, latency = { p95 = 0.2 }, my = { jobs = 3 } }
		assert.equal(0.5, metric.reader "cpu" (sample))
		assert.equal(0.2, metric.reader "latency.p95" (sample))
		assert.equal(3, metric.reader "my.jobs" (sample))
	end)

	it("may be missing", function()
		assert.is_nil(metric.reader "cpu" {})
		assert.is_nil(metric.reader "latency.p95" {})
		assert.is_nil(metric.reader "my.jobs" { my = {} })
		assert.same({ nil, "metric cpu is missing", "MISSING" }, { metric.missing "cpu" })
	end)

	it("has to be known, or the program's own", function()
		assert.equal("cpu", metric.name "cpu")
		assert.equal("my.queue_depth", metric.name "my.queue_depth")
		local _, err = metric.name "conections"
		assert.equal('unknown metric "conections" (did you mean "connections"? '
			.. "The program's own are my.NAME)", err)
		for _, name in ipairs { "my", "my.", "my.a.b", "my.2", "", ("x"):rep(100000) } do
			assert.is_nil((metric.name(name)))
		end
		assert.same({ nil, "the name of a metric expected, got 3" }, { metric.name(3) })
	end)

	it("of the load is none of the clones", function()
		assert.equal("cpu", metric.load "cpu")
		assert.same({ nil, 'a metric of the load expected, got "clones"' }, { metric.load "clones" })
	end)

	it("is shown with what it counts, or its unit", function()
		assert.equal("12 sessions", metric.show("sessions", 12))
		assert.equal("1 session", metric.show("sessions", 1))
		assert.equal("2.5 requests/s", metric.show("requests", 2.5))
		assert.equal("cpu 85%", metric.show("cpu", 0.85))
		assert.equal("latency.p95 250 ms", metric.show("latency.p95", 0.25))
		assert.equal("my.queue_depth 3", metric.show("my.queue_depth", 3))
	end)
end)
