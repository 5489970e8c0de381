-- Which of the clones that serve are in rotation: ejects those that health.lua finds unfit, and
-- brings them back.
--
-- It hears of each request from traffic.lua, and has the clones probed as often as the policy says.
-- A policy without `health` has none of it.

local health = require "gridcentric.controller.health"

local rotation = {}

---Asks a clone whether it works; calls back once, within check.timeout.
---@alias gridcentric.Probe
---| fun(ip: string, port: integer, check: gridcentric.HealthCheck, callback: fun(why: string?))

---@class gridcentric.RotationOptions
---@field policy gridcentric.Policy
---@field pool gridcentric.Pool
---@field clock gridcentric.Clock
---@field probe gridcentric.Probe
---@field event fun(what: string, vmid: integer?, text: string, details: table?) tells what happened
---@field callback fun(fn: function): function makes what is given to others to call
---@field replace fun(clone: gridcentric.Clone, why: string) ends a clone that is past help
---@field on_change fun() told when clones were ejected or brought back

---@class gridcentric.Rotation: gridcentric.RotationOptions
---@field records table<gridcentric.Clone, gridcentric.HealthRecord>
---@field probes table<gridcentric.Clone, number> when each is to be probed next; seconds
---@field counters { ejected: integer, checks_failed: integer }
local Rotation = { __name = "gridcentric.rotation" }
Rotation.__index = Rotation

local WEAK = { __mode = "k" }

---@param o gridcentric.RotationOptions
---@return gridcentric.Rotation
function rotation.new(o)
	return setmetatable({
		policy = o.policy,
		pool = o.pool,
		clock = o.clock,
		probe = o.probe,
		event = o.event,
		callback = o.callback,
		replace = o.replace,
		on_change = o.on_change,
		records = setmetatable({}, WEAK),
		probes = setmetatable({}, WEAK),
		counters = { ejected = 0, checks_failed = 0 },
	}, Rotation)
end

local function record_of(self, clone)
	local record = self.records[clone]
	if not record then
		record = health.new()
		self.records[clone] = record
	end
	return record
end

local function eject(self, clone, why)
	self.pool:move(clone, "ejected")
	self.counters.ejected = self.counters.ejected + 1
	self.event("ejected", clone.vmid, ("clone %d is ejected: %s"):format(clone.vmid, why))
	self.on_change()
end

local function readmit(self, clone)
	self.pool:move(clone, "ready")
	self.event("readmitted", clone.vmid, ("clone %d serves again"):format(clone.vmid))
	self.on_change()
end

-- Acts on what is known of a clone.
local function review(self, clone)
	local is_fit, why = health.is_fit(record_of(self, clone), self.clock.now())
	local clones = self.pool
	if clone.state == "ejected" and is_fit then return readmit(self, clone) end
	if clone.state ~= "ready" or is_fit then return end
	if health.may_eject(self.policy.health, #clones.ready, #clones.ejected) then
		eject(self, clone, why)
	end
end

---What became of a request or connection that was sent to a clone.
---@param clone gridcentric.Clone
---@param failure string? why it failed
---@param status integer? of the answer, in http mode
function Rotation:on_outcome(clone, failure, status)
	local o = self.policy.health
	if not o then return end
	if not failure and o.errors and status and status >= 500 then failure = "status " .. status end
	if not failure then return health.passed(record_of(self, clone)) end
	health.failed(record_of(self, clone), o, self.clock.now(), failure)
	review(self, clone)
end

local function on_probed(self, clone, why)
	local o = self.policy.health
	if not o or not o.check then return end -- not any more
	if why then self.counters.checks_failed = self.counters.checks_failed + 1 end
	health.checked(record_of(self, clone), o.check, self.clock.now(), why)
	review(self, clone)
end

local function probe_soon(self, clone, check)
	local now = self.clock.now()
	local due = self.probes[clone] or clone.since + check.interval
	if now < due then return end
	self.probes[clone] = now + math.max(check.interval, check.timeout)
	self.probe(clone.ip, clone.port, check,
		self.callback(function(why) on_probed(self, clone, why) end))
end

local function is_past_help(self, clone)
	local after, record = self.policy.health.replace_after, record_of(self, clone)
	return after and record.sick_since and self.clock.now() >= record.sick_since + after
end

---To be called each second.
function Rotation:tick()
	local o, clones = self.policy.health, self.pool
	if not o and #clones.ejected == 0 then return end
	for _, list in ipairs { clones.ready, clones.ejected } do
		-- A copy, for clones move between the lists.
		for _, clone in ipairs(table.move(list, 1, #list, 1, {})) do
			if o and o.check then probe_soon(self, clone, o.check) end
			if o and is_past_help(self, clone) then
				self.replace(clone, record_of(self, clone).why)
			elseif o then
				review(self, clone)
			elseif clone.state == "ejected" then
				readmit(self, clone)
			end
		end
	end
end

---Goes by another policy from now on.
---@param policy gridcentric.Policy
function Rotation:use(policy)
	self.policy = policy
	if not (policy.health and policy.health.check) then
		for _, record in pairs(self.records) do record.sick_since = nil end
	end
end

return rotation
