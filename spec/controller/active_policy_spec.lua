local active_policy = require "gridcentric.controller.active_policy"
local policy = require "gridcentric.config.load"

describe("controller.active_policy", function()
	local all, events

	local function checked(given)
		given.app = { script = "server.lua" }
		return assert(policy.check(given))
	end

	local function start(given)
		events = {}
		all = active_policy.new(checked(given), function(what, _, text)
			events[#events + 1] = what .. ": " .. text
			all:on_event { what = what, text = text }
		end)
	end

	it("keeps what was said last, and why", function()
		start { clones = { min = 2 }, scale = function(now, sample, state)
			state.n = (state.n or 0) + sample.n
			return state.n, "at " .. now
		end }
		assert.equal(2, all.desired)
		assert.equal(3, all:ask(7, { n = 3 }))
		assert.equal(7, all:ask(8, { n = 4 }))
		assert.equal("at 8", all.reason)
		assert.equal(2, all.counters.decisions)
	end)

	it("stays with it when scale fails, counts, and tells each place once", function()
		local is_broken = false
		start { scale = function()
			if is_broken then error "oops" end
			return 5
		end }
		all:ask(0, {})
		is_broken = true
		for i = 1, 3 do assert.equal(5, all:ask(i, {})) end
		assert.equal(3, all.counters.policy_errors)
		assert.equal(1, #events)
		assert.matches("^policy: scale failed, the number of clones stays: "
			.. ".*active_policy_spec.lua:%d+: oops$", events[1])
		assert.matches("oops$", all.faults:text())
		is_broken = false
		all:ask(9, {})
		assert.is_nil(all.faults:text())
	end)

	it("says when errors began and ended, and how many there were", function()
		local is_broken, now = true, 100
		events = {}
		all = active_policy.new(checked { scale = function()
			if is_broken then error "oops" end
			return 5
		end }, function(_, _, text) events[#events + 1] = text end, function() return now end)
		for second = 100, 102 do
			now = second
			all:ask(now, {})
		end
		is_broken, now = false, 104
		all:ask(now, {})
		assert.equal(2, #events)
		assert.matches("^scale works again: it failed 3 times in 4.0 s, last: .*oops$", events[2])
		local fault = all.faults:list()[1]
		assert.same({ "scale", 3, 100, 104 }, { fault.what, fault.count, fault.began, fault.ended })
	end)

	it("does not ask a scale again at once that took too long", function()
		local calls, now = 0, 0
		events = {}
		all = active_policy.new(checked { clones = { min = 2 }, scale = function()
			calls = calls + 1
			if calls == 1 then while true do end end
			return 5
		end }, function(_, _, text) events[#events + 1] = text end, function() return now end)
		for second = 0, 9 do
			now = second
			assert.equal(2, all:ask(now, {}))
		end
		assert.equal(1, calls)
		assert.matches("interrupted: it ran for more than 1 s", events[1])
		now = 10
		assert.equal(5, all:ask(now, {}))
	end)

	it("counts the time in the policy's code, and reports what is slow", function()
		local now, spent = 0, 0.04
		events = {}
		all = active_policy.new(checked {
			scale = function()
				now = now + spent
				return 1
			end,
			on_event = function() now = now + 2 end,
		}, function(_, _, text) events[#events + 1] = text end, function() return now end)
		all:ask(now, {})
		assert.same({}, events)
		spent = 0.06
		all:ask(now, {})
		all:ask(now, {})
		all:on_event { what = "ready", text = "" }
		assert.same({
			"scale took 60 ms; no request is served meanwhile",
			"on_event took 2000 ms; no request is served meanwhile",
		}, events)
		assert.near(2.16, all.faults.seconds, 1e-9)
	end)

	it("gives copies: nothing a function does to them changes anything", function()
		local sample = { sessions = 2, my = { load = 3 }, latency = { p50 = 1 } }
		local event = { what = "decision", text = "", details = { sample = sample } }
		start {
			scale = function(_, seen)
				seen.sessions, seen.my.load, seen.latency = 9, 9, nil
				return 1
			end,
			on_event = function(seen) seen.details.sample.my = nil end,
		}
		all:ask(0, sample)
		all:on_event(event)
		assert.same({ sessions = 2, my = { load = 3 }, latency = { p50 = 1 } }, sample)
	end)

	it("bounds reasons, and makes them fit to be shown", function()
		for _, reason in ipairs { ("x"):rep(3e6), "a\nb\255c\27[1m", print, {} } do
			start { scale = function() return 1, reason end }
			all:ask(0, {})
			assert.is_true(#all.reason <= 300 and utf8.len(all.reason) ~= nil)
			assert.is_nil(all.reason:find "%c")
		end
		start { scale = function() return 1, setmetatable({}, { __tostring = error }) end }
		all:ask(0, {})
		assert.is_string(all.faults:text())
		start { scale = function() error(("x"):rep(3e6)) end }
		all:ask(0, {})
		assert.is_true(#all.faults:text() <= 600)
	end)

	it("knows while a metric is missing", function()
		local is_missing = true
		start { scale = function()
			if is_missing then return nil, "metric cpu is missing", "MISSING" end
			return 1
		end }
		all:ask(0, {}) -- it may just not have been measured yet
		assert.is_nil(all.missing)
		all:ask(10, {})
		assert.equal("metric cpu is missing", all.missing)
		is_missing = false
		all:ask(11, {})
		assert.is_nil(all.missing)
	end)

	it("tells the policy of clones and events", function()
		local told = {}
		start {
			on_clone = function(vmid) told[#told + 1] = vmid end,
			on_event = function(event) told[#told + 1] = event.what end,
		}
		all:on_clone(3)
		all:on_event { what = "ready", vmid = 3, text = "" }
		assert.same({ 3, "ready" }, told)
	end)

	it("passes over those that fail, and tells nothing of an event about an event", function()
		start {
			on_clone = function() error "no clones" end,
			on_event = function(event) error("no " .. event.what) end,
		}
		all:on_clone(3)
		assert.equal(2, #events) -- of which the second is about telling the first
		assert.matches("^policy: on_clone failed, the call is skipped: ", events[1])
		assert.matches("^policy: on_event failed, .*: no policy$", events[2])
		all:on_event { what = "policy", text = "" }
		assert.equal(2, #events)
	end)

	it("knows nothing of what was when the policy is another", function()
		start { scale = function(_, _, state)
			state.seen = true
			error "oops"
		end }
		all:ask(0, {})
		all:use(checked { scale = function(_, _, state) return state.seen and 1 or 2 end })
		assert.is_nil(all.faults:text())
		assert.equal(2, all:ask(1, {}))
	end)
end)
