local metrics = require "gridcentric.metrics"
local policy = require "gridcentric.config.load"

describe("metrics", function()
	local now, clones, load, fetched

	local function start(given, instruments)
		given = given or {}
		given.app = { script = "server.lua" }
		now, clones, fetched = 100, {}, {}
		load = metrics.new {
			policy = assert(policy.check(given)),
			now = function() return now end,
			clones = function() return clones end,
			counts = { sessions = function() return now end },
			instruments = instruments,
		}
	end

	-- One that answers each request at once.
	local function fetch(target, limits, callback)
		fetched[#fetched + 1] = target.path
		callback("jobs 7\n")
		return function() end
	end

	it("reads counts anew for each sample", function()
		start()
		local first = load:sample()
		now = 101
		assert.equal(100, first.sessions)
		assert.equal(101, load:sample().sessions)
	end)

	it("has all that takes time as of the last refresh", function()
		start()
		load.requests:arrive(now)
		load.reported:set(1, "queue", 3)
		local before = load:sample()
		assert.equal(0, before.requests)
		assert.same({}, before.my)
		load:refresh()
		local after = load:sample()
		assert.equal(1, after.requests)
		assert.same({ queue = 3 }, after.my)
		assert.same({}, before.my)
	end)

	it("spreads processor time over the clones there are now, and makes up no load", function()
		local used = { 0, 0 }
		start({}, { cpu_time = function(pid) return used[pid] or 0 end,
			private_memory = function() return 1000 end })
		for i = 1, 2 do clones[i] = { slot = i, pid = i, since = now } end
		load:refresh()
		now = now + 2
		used[1], used[2] = 1.8, 1.8
		load:refresh()
		assert.near(0.9, load:sample().cpu, 1e-9)
		for i = 3, 6 do clones[i] = { slot = i, pid = i, since = now } end -- before the next refresh
		assert.near(0.3, load:sample().cpu, 1e-9)
		assert.equal(2, load:sample().measured_over.memory_per_clone)
		now, used[1], used[2] = now + 1, 2.7, 2.7
		load:refresh() -- the new ones have been read once: they are not known to do anything
		assert.near(0.3, load:sample().cpu, 1e-9)
		for i = 3, 6 do clones[i] = nil end
		assert.near(0.9, load:sample().cpu, 1e-9)
	end)

	it("says how many clones an average belongs to", function()
		start { metrics = { busy = { aggregate = "avg" } } }
		for i = 1, 3 do clones[i] = { slot = i, since = now } end
		load.reported:set(1, "busy", 4)
		load.reported:set(2, "busy", 6)
		load.requests:answer(now, 200, 5)
		clones[4] = { slot = 4, since = now }
		load.requests:answer(now, 200, 5)
		load:refresh()
		local over = load:sample().measured_over
		assert.equal(2, over["my.busy"])
		assert.equal(3.5, over.latency)
		assert.equal(4, over.memory_per_clone)
	end)

	it("leaves out what cannot be known", function()
		start()
		load:refresh()
		local sample = load:sample()
		assert.is_nil(sample.cpu)
		assert.is_nil(sample.heap)
		assert.same({ p50 = 0, p95 = 0, p99 = 0 }, sample.latency)
	end)

	it("knows the program's heap by what it tells, or in this process by itself", function()
		start()
		load.reported:set(0, "_heap", 5000)
		load.reported:set(1, "_heap", 9000)
		load:refresh()
		assert.equal(5000, load:sample().heap)
		start({}, { heap = function() return 7 end })
		assert.equal(7, load:sample().heap)
	end)

	it("sums what domains tell, or as the policy says", function()
		start { metrics = { busy = { aggregate = "avg" } } }
		for vmid = 1, 2 do
			load.reported:set(vmid, "busy", vmid)
			load.reported:set(vmid, "queue", vmid)
		end
		load:refresh()
		assert.same({ busy = 1.5, queue = 3 }, load:sample().my)
	end)

	it("believes no domain about what it asks elsewhere for", function()
		start({ metrics = { jobs = { url = "http://127.0.0.1:9100/metrics", metric = "jobs" } } },
			{ fetch = fetch })
		load.reported:set(1, "jobs", 1000)
		assert.same({}, load:sample().my)
		load:refresh()
		assert.same({ jobs = 7 }, load:sample().my)
		assert.same({ "/metrics" }, fetched)
		assert.same({ jobs = 0 }, load:failures())
	end)

	it("follows a new policy", function()
		start({ metrics = { jobs = { url = "http://127.0.0.1:9100/a", metric = "jobs" } } },
			{ fetch = fetch })
		load:refresh()
		load:follow(assert(policy.check {
			app = { script = "server.lua" },
			metrics = { more = { url = "http://127.0.0.1:9100/b", metric = "jobs" } },
		}))
		load:refresh()
		assert.same({ "/a", "/b" }, fetched)
		assert.same({ more = 7 }, load:sample().my)
	end)
end)
