local requests = require "gridcentric.metrics.requests"

describe("requests", function()
	it("are counted by second, class and error", function()
		local r = requests.new(0)
		for i = 0, 99 do
			r:arrive(i / 10)
			r:answer(i / 10, i % 10 == 0 and 503 or 200, 20)
		end
		local m = r:measure(10 - 1e-6)
		assert.is_true(math.abs(m.requests - 10) < 0.01)
		assert.is_true(math.abs(m.errors - 1) < 0.01)
		assert.equal(90, r.classes["2xx"])
		assert.equal(10, r.classes["5xx"])
	end)

	it("have latencies in seconds, of what clones have answered", function()
		local r = requests.new(0)
		for _ = 1, 100 do r:answer(1, 200, 200) end
		for _ = 1, 100 do r:answer(1, 503, nil) end
		local latency = r:measure(1).latency
		assert.is_true(math.abs(latency.p50 - 0.2) < 0.02)
		assert.is_true(latency.p99 >= latency.p95 and latency.p95 >= latency.p50)
		assert.equal(100, r.latency.count)
	end)

	it("have none without any", function()
		assert.same({ requests = 0, errors = 0, latency = { p50 = 0, p95 = 0, p99 = 0 } },
			requests.new(0):measure(5))
	end)

	it("survive a status that nobody knows", function()
		local r = requests.new(0)
		r:answer(0, 799, 1)
		assert.equal(1, r.classes["7xx"])
	end)
end)
