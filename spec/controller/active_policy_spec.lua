local policy = require "gridcentric.config.load"
local running = require "gridcentric.controller.active_policy"

describe("controller.active_policy", function()
	local all, events

	local function checked(given)
		given.app = { script = "server.lua" }
		return assert(policy.check(given))
	end

	local function start(given)
		events = {}
		all = running.new(checked(given), function(what, _, text)
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
