local support = require "spec.support.policy"
local target = require "gridcentric.policy.target"

local ask, error_of = support.ask, support.error_of

describe("target", function()
	it("divides a total among the clones", function()
		local scale = target { metric = "requests", value = 40 }
		assert.same({ 3, "120 requests/s, 40 per clone" }, { ask(scale, { requests = 120 }) })
		assert.equal(4, (ask(scale, { requests = 121 })))
		assert.equal(0, (ask(scale, { requests = 0, clones = 3 })))
	end)

	it("takes an average to fall as clones are added", function()
		local scale = target { metric = "cpu", value = "60%" }
		local desired, reason = ask(scale, { cpu = 0.9, clones = 4 })
		assert.equal(6, desired)
		assert.equal("cpu 90%, 60% per clone", reason)
		assert.equal(1, (ask(scale, { cpu = 0.1, clones = 4 })))
		scale = target { metric = "latency.p95", value = "250 ms" }
		assert.equal(4, (ask(scale, { latency = { p95 = 0.5 }, clones = 2 })))
	end)

	it("never multiplies an average with a newer number of clones", function()
		local scale = target { metric = "latency.p95", value = "250 ms" }
		local sample = { latency = { p95 = 0.5 }, clones = 2, measured_over = { latency = 2 } }
		assert.equal(4, (ask(scale, sample)))
		sample.clones = 32
		assert.equal(4, (ask(scale, sample)))
		scale = target { metric = "memory_per_clone", value = "1 GB" }
		assert.equal(3, (ask(scale, {
			memory_per_clone = 1.5e9, clones = 8, measured_over = { memory_per_clone = 2 },
		})))
		scale = target { metric = "my.jobs", value = 5, average = true }
		local own = { my = { jobs = 10 }, clones = 9, measured_over = { ["my.jobs"] = 3 } }
		assert.equal(6, (ask(scale, own)))
	end)

	it("wants fewer only after the down window, and more at once", function()
		local scale, state = target { metric = "requests", value = 10, down_window = 30 }, {}
		local function at(now, requests)
			return scale(now, support.sample { requests = requests, clones = 4 }, state)
		end
		assert.equal(4, (at(0, 40)))
		assert.same({ 4, "20 requests/s, 10 per clone; 4 needed within the last 30 s" }, { at(1, 20) })
		assert.equal(4, (at(29.9, 10)))
		assert.equal(2, (at(30, 10)))
		assert.equal(5, (at(30, 50)))
		scale, state = target { metric = "requests", value = 10 }, {}
		at(0, 40)
		assert.equal(4, (at(59, 0)))
		assert.equal(0, (at(119, 0)))
		scale, state = target { metric = "requests", value = 10, down_window = 0 }, {}
		at(0, 40)
		assert.equal(1, (at(0, 10)))
	end)

	it("changes nothing within the tolerance", function()
		local scale = target { metric = "cpu", value = 0.6, tolerance = 0.2 }
		for _, cpu in ipairs { 0.49, 0.6, 0.71 } do
			assert.equal(3, (ask(scale, { cpu = cpu, clones = 3 })))
		end
		assert.equal(4, (ask(scale, { cpu = 0.73, clones = 3 })))
		assert.equal(2, (ask(scale, { cpu = 0.4, clones = 3 })))
		local _, reason = ask(scale, { cpu = 0.7, clones = 3 })
		assert.equal("cpu 70%, within 20% of 60% per clone", reason)
	end)

	it("counts the clones that are coming", function()
		local scale = target { metric = "cpu", value = 0.6 }
		assert.equal(6, (ask(scale, { cpu = 0.9, clones = 4, coming = 0 })))
		assert.equal(6, (ask(scale, { cpu = 0.9, clones = 4, coming = 2 })))
		assert.equal(6, (ask(scale, { cpu = 0.93, clones = 4, coming = 2 })))
	end)

	it("takes no clone more for a rounding error", function()
		local scale = target { metric = "cpu", value = 0.6, tolerance = 0 }
		assert.is_true(3 * 0.2 / 0.6 > 1)
		assert.equal(1, (ask(scale, { cpu = 0.2, clones = 3 })))
	end)

	it("wants a first clone for who is there, where there is none to measure", function()
		local scale = target { metric = "cpu", value = 0.6 }
		assert.same({ 1, "a first clone for who is there" }, { ask(scale, { connections = 9 }) })
		assert.equal(0, (ask(scale, { cpu = 0 })))
	end)

	it("takes the program's own metric for a total, unless told", function()
		local jobs = { my = { jobs = 10 }, clones = 2 }
		assert.equal(2, (ask(target { metric = "my.jobs", value = 5 }, jobs)))
		assert.equal(4, (ask(target { metric = "my.jobs", value = 5, average = true }, jobs)))
	end)

	it("says which metric is missing", function()
		local scale = target { metric = "my.jobs", value = 5 }
		assert.same({ nil, "metric my.jobs is missing", "MISSING" }, { ask(scale, { clones = 1 }) })
		scale = target { metric = "latency.p99", value = 1 }
		assert.equal("MISSING", (select(3, ask(scale, { clones = 1 }))))
	end)

	it("takes values in the metric's unit only", function()
		local share = "target: value: cpu is measured in % of one core: a number with a unit expected, "
			.. "such as 80%, got "
		for given, expected in pairs {
			[{ metric = "cpu", value = 60 }] = share .. "60",
			[{ metric = "cpu", value = "2s" }] = share .. '"2s"',
			[{ metric = "requests", value = "60 ms" }] = "target: value: requests is measured in "
				.. 'requests per second: a number without a unit expected, got "60 ms"',
			[{ metric = "sessions", value = "10 MB" }] = "target: value: sessions is measured in users: "
				.. 'a number without a unit expected, got "10 MB"',
			[{ metric = "memory", value = "3 s" }] = "target: value: memory is measured in bytes: "
				.. 'a number with a unit expected, such as 512MB, got "3 s"',
		} do
			assert.equal(expected, error_of(function() target(given) end))
		end
		for name, value in pairs { cpu = 0.6, ["latency.p95"] = 0.25, memory = 5e8, ["my.x"] = "3 s" } do
			assert.is_function(target { metric = name, value = value })
		end
	end)

	it("checks its options at once", function()
		local function wrong(given) return error_of(function() target(given) end) end
		assert.equal("target: metric: missing", wrong { value = 3 })
		assert.equal("target: value: missing", wrong { metric = "cpu" })
		assert.matches('^target: metric: unknown metric "cpus" %(did you mean "cpu"', wrong {
			metric = "cpus", value = 1,
		})
		assert.equal('target: metric: a metric of the load expected, got "coming"', wrong {
			metric = "coming", value = 1,
		})
		assert.equal("target: value: a number above 0 expected, got 0", wrong {
			metric = "cpu", value = 0,
		})
		assert.equal('target: value: a number, or text with a unit, expected, got "3 parsec"', wrong {
			metric = "my.distance", value = "3 parsec",
		})
		assert.equal('target: unknown key "tolerence" (did you mean "tolerance"?)', wrong {
			metric = "cpu", value = 1, tolerence = 1,
		})
	end)
end)
