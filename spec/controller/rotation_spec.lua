local fake_clock = require "spec.support.fake_clock"
local policy = require "gridcentric.config.load"
local pool = require "gridcentric.controller.pool"
local rotation = require "gridcentric.controller.rotation"

describe("rotation", function()
	local clock, clones, all, events, sick, probed, replaced, changes

	local function checked(health)
		return assert(policy.check { app = { script = "server.lua" }, health = health })
	end

	-- With so many clones that serve. Checks of those in `sick` fail.
	local function start(n, health)
		clock, clones = fake_clock.new(), pool.new()
		events, sick, probed, replaced, changes = {}, {}, {}, {}, 0
		for vmid = 1, n do
			local clone = clones:plan(0)
			clones:move(clone, "starting")
			clones:serve(clone, vmid, { ip = "clone" .. vmid, port = 80 }, clock.now())
		end
		all = rotation.new {
			policy = checked(health), pool = clones, clock = clock,
			probe = function(ip, _, _, callback)
				probed[#probed + 1] = ip
				callback(sick[ip] and "status 500")
			end,
			event = function(what, vmid, text) events[#events + 1] = { what, vmid, text } end,
			callback = function(fn) return fn end,
			replace = function(clone)
				replaced[#replaced + 1] = clone.vmid
				clones:move(clone, "ending")
			end,
			on_change = function() changes = changes + 1 end,
		}
	end

	-- So many seconds pass.
	local function pass(seconds)
		for _ = 1, seconds do
			clock.advance(1)
			all:tick()
		end
	end

	local function fail(vmid, n, failure, status)
		local clone = clones.by_vmid[vmid]
		for _ = 1, n do all:on_outcome(clone, failure, status) end
		return clone.state
	end

	it("ejects a clone whose requests fail, and brings it back", function()
		start(2, { failures = 3, eject_time = 10 })
		assert.equal("ready", fail(1, 2, "ECONNREFUSED"))
		assert.equal("ejected", fail(1, 1, "ECONNREFUSED"))
		assert.same({ "ejected", 1,
			"clone 1 is ejected: 3 failures in a row, the last: ECONNREFUSED" }, events[1])
		assert.equal(1, changes)
		pass(9)
		assert.equal(1, #clones.ejected)
		pass(1)
		assert.equal(0, #clones.ejected)
		assert.same({ "readmitted", 1, "clone 1 serves again" }, events[2])
	end)

	it("does nothing where the policy has no health", function()
		start(2)
		assert.equal("ready", fail(1, 99, "ECONNREFUSED"))
		pass(9)
		assert.same({}, probed)
	end)

	it("counts a status from 500 on only where the policy says so", function()
		start(2, { failures = 2 })
		assert.equal("ready", fail(1, 9, nil, 500))
		start(2, { failures = 2, errors = true })
		assert.equal("ready", fail(1, 1, nil, 500))
		assert.equal("ready", fail(1, 9, nil, 499))
		assert.equal("ready", fail(1, 1, nil, 502))
		assert.equal("ejected", fail(1, 1, nil, 502))
		assert.matches("the last: status 502$", events[1][3])
	end)

	it("never ejects the last one, nor more than a share", function()
		start(4, { failures = 1, max_ejected = 0.5 })
		for vmid = 1, 4 do fail(vmid, 1, "ECONNREFUSED") end
		assert.same({ 2, 2 }, { #clones.ready, #clones.ejected })
		start(1, { failures = 1, max_ejected = 1 })
		assert.equal("ready", fail(1, 9, "ECONNREFUSED"))
	end)

	it("checks each clone at intervals, and ejects those that fail", function()
		start(3, { check = { interval = 2, fall = 2, rise = 2 } })
		sick.clone2 = true
		pass(3)
		assert.same({ "clone1", "clone2", "clone3" }, probed)
		assert.equal(0, #clones.ejected)
		pass(1)
		assert.equal("ejected", clones.by_vmid[2].state)
		sick.clone2 = nil
		pass(3)
		assert.equal("ejected", clones.by_vmid[2].state)
		pass(1)
		assert.equal("ready", clones.by_vmid[2].state)
		assert.equal(2, all.counters.checks_failed)
	end)

	it("ejects one that it could not eject before, once it can", function()
		start(2, { check = { interval = 1, fall = 1, rise = 1 } })
		sick.clone1, sick.clone2 = true, true
		pass(2)
		assert.same({ 1, 1 }, { #clones.ready, #clones.ejected })
		sick[clones.ejected[1].ip] = nil
		pass(2)
		assert.equal("ready", clones.by_vmid[1].state)
		assert.equal("ejected", clones.by_vmid[2].state)
	end)

	it("has one replaced whose checks fail for too long", function()
		start(2, { check = { interval = 1, fall = 1 }, replace_after = 5 })
		sick.clone1 = true
		pass(5)
		assert.same({}, replaced)
		pass(1)
		assert.same({ 1 }, replaced)
		pass(5)
		assert.same({ 1 }, replaced)
	end)

	it("has even the last one replaced", function()
		start(1, { check = { interval = 1, fall = 1 }, replace_after = 5 })
		sick.clone1 = true
		pass(6)
		assert.same({ 1 }, replaced)
	end)

	it("brings all back when the policy has no health any more", function()
		start(2, { failures = 1, check = { interval = 1, fall = 1 } })
		sick.clone1 = true
		pass(1)
		fail(2, 1, "ECONNREFUSED")
		all:use(checked(nil))
		pass(1)
		assert.same({ 2, 0 }, { #clones.ready, #clones.ejected })
	end)
end)
