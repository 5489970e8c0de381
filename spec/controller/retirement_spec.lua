local fake_clock = require "spec.support.fake_clock"
local pool = require "gridcentric.controller.pool"
local retirement = require "gridcentric.controller.retirement"

describe("retirement", function()
	local clock, clones, all, events, stopped, vacated, errors

	before_each(function()
		clock, clones = fake_clock.new(), pool.new()
		events, stopped, vacated, errors = {}, {}, {}, {}
		all = retirement.new {
			policy = { drain_timeout = 30, stop_timeout = 5 }, pool = clones, clock = clock,
			platform = {
				stop = function(_, vmid, grace_ms, callback)
					stopped[#stopped + 1] = { vmid, grace_ms }
					if vmid == 13 then callback(nil, "no such domain") end
				end,
			},
			event = function(what, vmid, text) events[#events + 1] = { what, vmid, text } end,
			callback = function(fn) return fn end,
			on_error = function(text) errors[#errors + 1] = text end,
			vacate = function(clone) vacated[#vacated + 1] = clone.vmid end,
		}
	end)

	local function new_clone(vmid, connections, sessions)
		local clone = clones:plan(0)
		clones:move(clone, "starting")
		clones:serve(clone, vmid, { ip = "127.64.0.1", port = 80 }, 0)
		clone.connections, clone.sessions = connections, sessions or 0
		return clone
	end

	it("ends one that nobody uses at once", function()
		local clone = new_clone(1, 0)
		all:retire(clone, "too many")
		assert.equal("ending", clone.state)
		assert.same({ { 1, 5000 } }, stopped)
		assert.same({ { "drain", 1, "clone 1 is ended: too many" } }, events)
	end)

	it("forgets one that does not exist yet", function()
		local clone = clones:plan(0)
		all:retire(clone, "too many")
		assert.equal("dead", clone.state)
		assert.same({}, stopped)
	end)

	it("ends another when its connections are over", function()
		local clone = new_clone(1, 2)
		all:retire(clone, "too many")
		assert.equal("draining", clone.state)
		assert.same({ 1 }, vacated)
		assert.same({ "drain", 1, "clone 1 is drained, for 30 s at most: too many" }, events[1])
		clock.advance(29)
		all:tick()
		assert.same({}, stopped)
		all:on_vacant(clone)
		assert.same({ { 1, 5000 } }, stopped)
		clock.advance(9)
		all:tick()
		assert.equal(1, #stopped)
	end)

	it("ends one at once that has sessions but no connections", function()
		local clone = new_clone(1, 0, 3)
		all:retire(clone, "too many")
		assert.equal("ending", clone.state)
	end)

	it("cuts what goes on for too long, and says so", function()
		local clone = new_clone(1, 1)
		all:retire(clone, "too many")
		clock.advance(30)
		all:tick()
		assert.equal("ending", clone.state)
		assert.same({ "cut", 1, "clone 1 is ended with 1 connection after 30 s" }, events[2])
		assert.same({ drained = 1, cut = 1 }, all.counters)
	end)

	it("keeps the limit of what drains already when the policy changes", function()
		local clone = new_clone(1, 1)
		all:retire(clone, "too many")
		all:use { drain_timeout = 1, stop_timeout = 1 }
		clock.advance(20)
		all:tick()
		assert.equal("draining", clone.state)
	end)

	it("kills at once", function()
		local clone = new_clone(1, 7)
		all:kill(clone, "asked to")
		assert.same({ { 1, 0 } }, stopped)
		assert.same({ "kill", 1, "clone 1 is killed: asked to" }, events[1])
	end)

	it("tells of one that cannot be ended", function()
		all:retire(new_clone(13, 0), "too many")
		assert.same({ "clone 13 cannot be ended: no such domain" }, errors)
	end)
end)
