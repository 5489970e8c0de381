-- How clones leave: drained, then asked to end, then killed.
--
--	retire(clone)   one that nobody uses ends at once; from another the users are taken first
--	kill(clone)     ends at once, whoever is on it
--
-- While a clone drains, it serves what is under way and gets nothing new. It ends when that is
-- over, or after drain_timeout: what goes on then is cut.

local pool = require "gridcentric.controller.pool"
local units = require "gridcentric.util.units"

local retirement = {}

---@class gridcentric.RetirementOptions
---@field policy gridcentric.Policy
---@field platform gridcentric.Platform
---@field pool gridcentric.Pool
---@field clock gridcentric.Clock
---@field event fun(what: string, vmid: integer?, text: string, details: table?) tells what happened
---@field callback fun(fn: function): function makes what is given to the platform to call
---@field on_error fun(text: string) told of what nobody waits for
---@field vacate fun(clone: gridcentric.Clone) takes those from a clone who have nothing under way

---@class gridcentric.Retirement: gridcentric.RetirementOptions
---@field counters { drained: integer, cut: integer } clones, connections
local Retirement = { __name = "gridcentric.retirement" }
Retirement.__index = Retirement

---@param o gridcentric.RetirementOptions
---@return gridcentric.Retirement
function retirement.new(o)
	return setmetatable({
		policy = o.policy,
		platform = o.platform,
		pool = o.pool,
		clock = o.clock,
		event = o.event,
		callback = o.callback,
		on_error = o.on_error,
		vacate = o.vacate,
		counters = { drained = 0, cut = 0 },
	}, Retirement)
end

local function stop(self, clone, grace_s)
	self.pool:move(clone, "ending")
	local function stopped(ok, err)
		if not ok then self.on_error(("clone %d cannot be ended: %s"):format(clone.vmid, err)) end
	end
	self.platform:stop(clone.vmid, math.ceil(grace_s * 1000), self.callback(stopped))
end

local function count_of(clone)
	return clone.connections == 1 and "1 connection" or clone.connections .. " connections"
end

local function drain(self, clone)
	self.counters.drained = self.counters.drained + 1
	self.pool:move(clone, "draining")
	clone.ends_at = self.clock.now() + self.policy.drain_timeout
	self.vacate(clone)
	local is_empty = clone.state == "draining" and clone.connections == 0 -- and had been before
	if is_empty then stop(self, clone, self.policy.stop_timeout) end
end

---Ends a clone, after those who use it.
---@param clone gridcentric.Clone
---@param why string
---@param decision? integer number of the one that it goes for
function Retirement:retire(clone, why, decision)
	if clone.state == "planned" then return self.pool:move(clone, "dead") end
	local is_idle = pool.is_idle(clone)
	self.event("drain", clone.vmid, is_idle and ("clone %d is ended: %s"):format(clone.vmid, why)
		or ("clone %d is drained, for %s at most: %s"):format(
			clone.vmid, units.show(self.policy.drain_timeout, "s"), why),
		{ connections = clone.connections, sessions = clone.sessions, decision = decision })
	if not is_idle then return drain(self, clone) end
	stop(self, clone, self.policy.stop_timeout)
end

---Ends a clone at once.
---@param clone gridcentric.Clone
---@param why string
function Retirement:kill(clone, why)
	self.event("kill", clone.vmid, ("clone %d is killed: %s"):format(clone.vmid, why),
		{ connections = clone.connections })
	stop(self, clone, 0)
end

---One that drains has no connection any more.
---@param clone gridcentric.Clone
function Retirement:on_vacant(clone)
	stop(self, clone, self.policy.stop_timeout)
end

---Ends those that have drained for too long. To be called each second.
function Retirement:tick()
	local now = self.clock.now()
	for _, clone in ipairs(table.move(self.pool.draining, 1, #self.pool.draining, 1, {})) do
		if clone.state == "draining" and now >= clone.ends_at then
			self.counters.cut = self.counters.cut + clone.connections
			self.event("cut", clone.vmid, ("clone %d is ended with %s after %s"):format(
				clone.vmid, count_of(clone), units.show(self.policy.drain_timeout, "s")))
			stop(self, clone, self.policy.stop_timeout)
		end
	end
end

---Goes by another policy from now on; what drains already keeps its limit.
---@param policy gridcentric.Policy
function Retirement:use(policy)
	self.policy = policy
end

return retirement
