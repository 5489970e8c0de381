-- The policy that a service goes by now: asked, told, and what it said last.
--
-- An error in one of its functions harms nothing: what was said last stands, and the fault is told
-- once for each place in the file.

local faults = require "gridcentric.controller.faults"
local policy = require "gridcentric.config.load"

local running = {}

local FIRST_MEASURES_S = 10 -- so long a metric may be missing because nobody has told it yet

---@class gridcentric.Running
---@field policy gridcentric.Policy
---@field faults gridcentric.Faults
---@field desired integer clones, as it said last
---@field reason string why
---@field missing string? while it lacks a metric: on_missing decides
---@field counters { decisions: integer, policy_errors: integer }
local Running = { __name = "gridcentric.running" }
Running.__index = Running

local function on_fault(self, what, err, is_new)
	self.counters.policy_errors = self.counters.policy_errors + 1
	if not is_new then return end
	local instead = what == "scale" and "its last word stands" or "it is passed over"
	self.event("policy", nil, ("%s failed, %s: %s"):format(what, instead, err))
end

---@param p gridcentric.Policy
---@param event fun(what: string, vmid: integer?, text: string, details: table?) tells of faults
---@return gridcentric.Running
function running.new(p, event)
	local self = setmetatable({
		event = event,
		desired = p.clones.min,
		reason = "nothing decided yet",
		counters = { decisions = 0, policy_errors = 0 },
	}, Running)
	self.faults = faults.new(function(...) on_fault(self, ...) end)
	self:use(p)
	return self
end

---Goes by another policy from now on, which knows nothing of what was.
---@param p gridcentric.Policy
function Running:use(p)
	self.policy, self.state, self.since = p, {}, nil
	self.faults:forget()
end

---Asks for the number of clones, which is then in `desired`.
---@param now number seconds
---@param sample gridcentric.Sample
---@return integer desired
function Running:ask(now, sample)
	self.since = self.since or now
	local is_early = now - self.since < FIRST_MEASURES_S
	local desired, reason, missing =
		policy.decide(self.policy, now, sample, self.state, self.desired, is_early)
	self.counters.decisions = self.counters.decisions + 1
	self.missing = not is_early and missing or nil
	if desired then
		self.desired, self.reason = desired, reason
		self.faults:clear "scale"
	else
		self.faults:blame("scale", reason)
	end
	return self.desired
end

local function call(self, name, ...)
	local fn = self.policy[name]
	if fn then self.faults:call(name, fn, ...) end
end

---A clone is ready.
---@param vmid integer
function Running:on_clone(vmid)
	call(self, "on_clone", vmid)
end

---Something has happened. What comes of telling that is not told.
---@param event gridcentric.Event
function Running:on_event(event)
	if self.is_telling then return end
	self.is_telling = true
	call(self, "on_event", event)
	self.is_telling = false
end

return running
