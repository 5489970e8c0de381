local json = require "dkjson"
local policy = require "gridcentric.config.load"
local replay = require "gridcentric.replay"
local trace = require "gridcentric.trace"

describe("replay", function()
	local function read(text)
		return assert(trace.read(text:gmatch "[^\n]+", "spec.csv"))
	end

	-- What is decided: "at: before -> wanted" each; and the result.
	local function play(text, given, options)
		local o = { app = { script = "-" } }
		for key, value in pairs(given or {}) do o[key] = value end
		local p, decided = assert(policy.check(o)), {}
		p.name = "spec"
		local result = replay.play(p, read(text), options, function(at, decision)
			decided[#decided + 1] = ("%g: %d -> %d"):format(at, decision.before, decision.wanted)
		end)
		return decided, result
	end

	local RUSH = "at,sessions\n0,0\n10,5\n20,2\n"

	it("has users come and go as the trace says", function()
		local decided, result = play(RUSH)
		assert.same({ "10: 0 -> 3", "20: 3 -> 1" }, decided)
		assert.same({ at = { 0, 10, 20 }, value = { 0, 5, 2 } }, result.load)
		assert.equal(3, result.most_clones)
		assert.equal(3, result.made)
		assert.equal(21, result.seconds)
		assert.equal(5, result.held)
		assert.equal(0, result.refused)
	end)

	it("tells what the clones cost, and how long they were too few", function()
		local _, result = play("at,sessions\n0,2\n3600,2\n", {}, { clone_s = 36 })
		assert.near(1 - 35 / 3600, result.clone_hours, 1e-6)
		assert.near(36, result.under_s, 1e-6)
		local _, strict = play("at,sessions\n0,2\n100,2\n", {}, { per_clone = 1, clone_s = 0 })
		assert.near(101, strict.under_s, 1e-6)
	end)

	it("counts those who are refused", function()
		local _, result = play(RUSH, { held = { timeout = 2 } }, { clone_s = 5 })
		assert.equal(5, result.refused)
		_, result = play(RUSH, { held = { max = 3 } })
		assert.equal(2, result.refused)
	end)

	it("denies clones by chance, the same in each run", function()
		local options = { denial = 0.5, seed = 7 }
		local decided, result = play(RUSH, {}, options)
		local again, same = play(RUSH, {}, options)
		assert.same(decided, again)
		assert.equal(json.encode(result), json.encode(same))
		local _, all = play(RUSH, {}, { denial = 1 })
		assert.equal(0, all.made)
		assert.is_true(all.denied >= 3)
	end)

	it("has the plan keep its pace between rows", function()
		local decided = play("at,sessions\n0,8\n60,8\n",
			{ plan = { up = { most = 1, period = 10 } } })
		assert.same({ "0: 0 -> 1", "10: 1 -> 2", "20: 2 -> 3", "30: 3 -> 4" }, decided)
		decided = play(RUSH .. "60,2\n", { plan = { down = { window = 30 } } })
		assert.same({ "10: 0 -> 3", "49: 3 -> 1" }, decided)
	end)

	it("asks the policy at each row that is a tick, and else once a second", function()
		local times = {}
		local scale = function(now)
			times[#times + 1] = now
			return 0
		end
		play("at,sessions\n0,0\n0.5,0\n3,0\n", { scale = scale })
		-- a second before the trace the program starts
		assert.same({ -1, -1, 0, 0.5, 1.5, 3 }, times)
	end)

	it("shows the policy what was measured", function()
		local seen
		local scale = function(_, sample)
			seen = sample
			return 1
		end
		play("at,sessions,requests,latency.p95,heap,my.jobs\n1e9,1,20,0.5,,7\n", { scale = scale })
		assert.equal(20, seen.requests)
		assert.equal(0.5, seen.latency.p95)
		assert.equal(7, seen.my.jobs)
		assert.is_nil(seen.heap)
		assert.equal(1e9, seen.time)
	end)

	it("divides processor time among the clones that there are", function()
		local seen
		local scale = function(_, sample)
			seen = sample
			return 4
		end
		play("at,sessions,clones,cpu,memory,memory_per_clone\n0,1,2,0.5,20,10\n5,1,2,0.5,20,10\n",
			{ scale = scale })
		assert.equal(4, seen.clones)
		assert.equal(0.25, seen.cpu)
		assert.equal(40, seen.memory)
	end)

	it("takes a recorded average for the load of the clones that were recorded", function()
		local target = require "gridcentric.policy.target"
		local step = require "gridcentric.policy.step"
		local rules = require "gridcentric.policy.rules"
		local bounds = { min = 2, max = 32 }
		local function most(header, cells, scale)
			local rows = { "at,sessions,clones," .. header }
			for at = 0, 30, 10 do rows[#rows + 1] = ("%d,4,2,%s"):format(at, cells) end
			local _, result = play(table.concat(rows, "\n"), { clones = bounds, scale = scale })
			assert.equal(result.most_clones, result.made) -- and no flapping
			return result.most_clones
		end
		assert.equal(3, most("cpu", "0.9", target { metric = "cpu", value = "60%" }))
		assert.equal(6, most("latency.p95", "0.3", target { metric = "latency.p95", value = "100 ms" }))
		assert.equal(4, most("memory_per_clone", "2e9",
			target { metric = "memory_per_clone", value = "1 GB" }))
		assert.equal(4, most("my.jobs", "20", target { metric = "my.jobs", value = 10, average = true }))
		assert.equal(3, most("cpu", "0.9", rules "up 1 when cpu > 80%"))
		assert.equal(3, most("cpu", "0.9", rules "to cpu * clones / 60% when clones > 0"))
		assert.equal(3, most("latency.p95", "0.3", rules "up 1 when latency.p95 > 250ms"))
		assert.equal(2, most("cpu", "0.9", step { metric = "cpu", { 0, 2 }, { 0.95, 8 } }))
		assert.equal(3, most("cpu", "0.9", function(_, sample)
			return math.max(sample.cpu * sample.clones / 0.6 - 1e-9, 2)
		end))
	end)

	it("takes rows of one time as one instant", function()
		local decided = play("at,cause,sessions\n0,tick,0\n5,arrival,1\n5,arrival,2\n5,arrival,3\n")
		assert.same({ "5: 0 -> 2" }, decided)
	end)

	it("has clones.min before the trace begins", function()
		local decided, result = play("at,sessions\n0,0\n10,0\n", { clones = { min = 2 } })
		assert.same({ "-1: 0 -> 2" }, decided)
		assert.near(22 / 3600, result.clone_hours, 1e-9)
	end)

	it("goes on with the last word of a policy that fails, and says so", function()
		local scale = function(now, sample)
			if now > 15 then error "oops" end
			return sample.sessions
		end
		local decided, result = play(RUSH, { scale = scale })
		assert.same({ "10: 0 -> 5" }, decided)
		assert.is_true(result.faults > 0)
		assert.matches("oops", result.fault)
	end)

	it("says when errors began and ended", function()
		local _, result = play("at,sessions\n0,1\n60,1\n", { scale = function(now)
			if now >= 10 and now < 30 then error "oops" end
			return 1
		end })
		assert.equal(20, result.faults)
		assert.matches("oops$", result.fault)
		assert.same({ 10, 30 }, { result.fault_began, result.fault_ended })
	end)

	it("says how far it has come", function()
		local shares = {}
		replay.play(assert(policy.check { app = { script = "-" } }), read "at,sessions\n0,1\n20000,1\n",
			nil, nil, function(share) shares[#shares + 1] = share end)
		assert.equal(4, #shares)
		assert.near(0.25, shares[1], 0.01)
	end)

	it("calls no hooks, and makes no shadow", function()
		local function never() error "called" end
		local _, result = play(RUSH, { on_clone = never, on_event = never })
		assert.equal(0, result.faults)
	end)

	for name, given in pairs {
		tcp = { mode = "tcp", scale = function(_, sample) return sample.connections end },
		source = { sticky = "source", route = "two_choices" },
		["each request"] = { sticky = false, route = "least" },
		health = { health = { check = {} }, drain = true },
	} do
		it("plays a day with " .. name, function()
			local rows = { "at,sessions,connections" }
			for i = 0, 2000 do
				local n = math.floor(10 + 9 * math.sin(i / 100))
				rows[#rows + 1] = ("%d,%d,%d"):format(i * 10, n, n + i % 3)
			end
			local _, result = play(table.concat(rows, "\n"), given)
			assert.equal(0, result.refused)
			assert.equal(0, result.faults)
			assert.is_true(result.made > 10)
		end)
	end
end)
