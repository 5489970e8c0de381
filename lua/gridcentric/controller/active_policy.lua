-- The policy that a service follows now: asked for the number of clones, and called with events. An
-- error in one of its functions harms nothing: the last number stands, and the error is reported
-- once for each place in the file.

local decide = require "gridcentric.config.decide"
local faults = require "gridcentric.controller.faults"
local event_dedup = require "gridcentric.controller.event_dedup"
local plural = require "gridcentric.util.plural"
local view = require "gridcentric.policy.sandbox.view"

local active_policy = {}

local FIRST_MEASURES_S = 10 -- until then a metric may be missing because nobody has reported it yet

---@class gridcentric.ActivePolicy
---@field policy gridcentric.Policy
---@field faults gridcentric.Faults
---@field desired integer clones, as it said last
---@field reason string why
---@field is_limited boolean whether a limit of its own keeps it from wanting more
---@field missing string? while it lacks a metric: on_missing decides
---@field counters { decisions: integer, policy_errors: integer }
local ActivePolicy = { __name = "gridcentric.active_policy" }
ActivePolicy.__index = ActivePolicy

local INSTEAD = {
	scale = "the number of clones stays",
	route = "the default route decides",
	victim = "the clone with the fewest users goes",
}

local function on_fault(self, what, err, is_new)
	self.counters.policy_errors = self.counters.policy_errors + 1
	if not is_new then return end
	local instead = INSTEAD[what] or "the call is skipped"
	self.event("policy", nil, ("%s failed, %s: %s"):format(what, instead, err))
end

local function on_passed(self, fault)
	self.event("policy", nil, ("%s works again: it failed %s in %.1f s, last: %s"):format(
		fault.what, plural.times(fault.count), fault.ended - fault.began, fault.err))
end

-- Said once a minute at most.
local function on_slow(self, what, seconds)
	if not self.slow:is_new(self.now(), what) then return end
	self.event("policy", nil, ("%s took %.0f ms; no request is served meanwhile"):format(
		what, seconds * 1000))
end

---@param p gridcentric.Policy
---@param event fun(what: string, vmid: integer?, text: string, details: table?) reports faults
---@param now? fun(): number seconds
---@return gridcentric.ActivePolicy
function active_policy.new(p, event, now)
	local self = setmetatable({
		event = event,
		now = now or function() return 0 end,
		desired = p.clones.min,
		reason = "nothing decided yet",
		is_limited = false,
		slow = event_dedup.new(),
		counters = { decisions = 0, policy_errors = 0 },
	}, ActivePolicy)
	self.faults = faults.new(function(...) on_fault(self, ...) end, {
		now = self.now,
		on_passed = function(fault) on_passed(self, fault) end,
		on_slow = function(...) on_slow(self, ...) end,
	})
	self:use(p)
	return self
end

---Follows another policy from now on, which starts without any memory.
---@param p gridcentric.Policy
function ActivePolicy:use(p)
	self.policy, self.state, self.since = p, {}, nil
	self.faults:forget()
end

-- Takes over what decide() returned.
local function settle(self, is_early, desired, reason, missing, is_limited, code)
	self.missing = not is_early and missing or nil
	if not desired then return self.faults:blame("scale", reason, code) end
	self.desired, self.reason, self.is_limited = desired, reason, is_limited == true
	self.faults:clear "scale"
end

---Asks for the number of clones, which is then in `desired`.
---@param now number seconds
---@param sample gridcentric.Sample
---@return integer desired
function ActivePolicy:ask(now, sample)
	self.since = self.since or now
	local is_early = now - self.since < FIRST_MEASURES_S
	self.counters.decisions = self.counters.decisions + 1
	if self.faults:is_paused "scale" then return self.desired end
	local began = self.now()
	settle(self, is_early, decide(self.policy, now, sample, self.state, self.desired, is_early))
	self.faults:count_time("scale", began)
	return self.desired
end

local function call(self, name, ...)
	local fn = self.policy[name]
	if fn then self.faults:call(name, fn, ...) end
end

---A clone is ready.
---@param vmid integer
function ActivePolicy:on_clone(vmid)
	call(self, "on_clone", vmid)
end

---Something has happened. Events that on_event itself causes are not passed on.
---@param event gridcentric.Event
function ActivePolicy:on_event(event)
	if self.is_calling or not self.policy.on_event then return end
	self.is_calling = true
	call(self, "on_event", view.copy(event))
	self.is_calling = false
end

return active_policy
