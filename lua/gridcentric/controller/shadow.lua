-- A second policy that sees what the first one sees, and does nothing: how it would decide.
--
--	local shadow = shadow.new { policy =, event = }
--	shadow:ask(now, sample)     whenever the first one is asked
--	shadow:settle(now, wanted)  at the end of the turn: tells where they differ
--
-- It has a state and a plan of its own, whose clones are there as soon as they are wanted. Only
-- `scale`, `on_missing`, `clones` and `plan` of the policy count; its other functions are never
-- called. A dry run is a shadow beside a policy that always wants the same (dry_run.lua).

local active_policy = require "gridcentric.controller.active_policy"
local plan = require "gridcentric.plan"
local plural = require "gridcentric.util.plural"

local shadow = {}

---@class gridcentric.ShadowOptions
---@field policy gridcentric.Policy
---@field is_dry_run? boolean it is the policy itself
---@field event fun(what: string, vmid: integer?, text: string, details: table?)

---@class gridcentric.Shadow
---@field name string of the policy
---@field active gridcentric.ActivePolicy what it said
---@field plan gridcentric.Plan
---@field wanted integer clones it would have
---@field limit string? why they are not as many as it desires
---@field differs boolean whether the service wants another number
---@field differences integer how often that began
---@field last { at: number, wanted: integer, instead_of: integer, reason: string }? difference
local Shadow = { __name = "gridcentric.shadow" }
Shadow.__index = Shadow

---@param o gridcentric.ShadowOptions
---@return gridcentric.Shadow
function shadow.new(o)
	local name = o.policy.name
	local function event(what, vmid, text, details)
		o.event(what, vmid, ("shadow %s: %s"):format(name, text), details)
	end
	return setmetatable({
		name = name,
		event = o.is_dry_run and o.event or event,
		is_dry_run = o.is_dry_run or false,
		active = active_policy.new(o.policy, event),
		plan = plan.new(plan.options(o.policy)),
		wanted = 0,
		told = 0,
		differs = false,
		differences = 0,
	}, Shadow)
end

local function nobody() return {} end

---@param now number
---@param sample gridcentric.Sample
---@return boolean # whether it wants another number now
function Shadow:ask(now, sample)
	local desired, before = self.active:ask(now, sample), self.wanted
	local actions = plan.step(self.plan, now, desired, {
		ready = before, planned = 0, starting = 0, can_clone = true, victims = nobody,
		connections = sample.connections,
	})
	self.wanted, self.limit = actions.wanted, actions.limit
	return self.wanted ~= before
end

local function text_of(self, wanted)
	local limit = self.limit and (" (%s)"):format(self.limit) or ""
	if self.is_dry_run then
		return ("would go from %d to %s: %s%s"):format(
			self.told, plural.count(self.wanted, "clone"), self.active.reason, limit)
	end
	if not self.differs then return ("wants %s as well"):format(plural.count(wanted, "clone")) end
	return ("%s instead of %d: %s%s"):format(
		plural.count(self.wanted, "clone"), wanted, self.active.reason, limit)
end

---Compares with what the service wants, and tells what is new.
---@param now number
---@param wanted integer
function Shadow:settle(now, wanted)
	local differed = self.differs
	self.differs = self.wanted ~= wanted
	if self.differs then
		if not differed then self.differences = self.differences + 1 end
		self.last = {
			at = now, wanted = self.wanted, instead_of = wanted, reason = self.active.reason,
		}
	end
	local is_new = self.differs ~= differed or self.differs and self.wanted ~= self.told
	if self.is_dry_run then is_new = self.wanted ~= self.told end
	if is_new then
		self.event("shadow", nil, text_of(self, wanted),
			{ desired = self.active.desired, wanted = self.wanted, instead_of = wanted })
	end
	self.told = self.wanted
end

---What status shows of it.
---@class gridcentric.ShadowReport
---@field name string
---@field desired integer clones, as it said last
---@field reason string
---@field wanted integer the same within its plan's limits
---@field limit string? why that is not the same
---@field differs boolean whether the service wants another number
---@field differences integer how often that began
---@field last { ago: number, wanted: integer, instead_of: integer, reason: string }? difference
---@field policy_error string?
---@field missing string?

---@param now number
---@return gridcentric.ShadowReport
function Shadow:report(now)
	local last = self.last
	return {
		name = self.name,
		desired = self.active.desired,
		reason = self.active.reason,
		wanted = self.wanted,
		limit = self.limit,
		differs = self.differs,
		differences = self.differences,
		last = last and {
			ago = math.floor((now - last.at) * 10) / 10,
			wanted = last.wanted, instead_of = last.instead_of, reason = last.reason,
		},
		policy_error = self.active.faults:text(),
		missing = self.active.missing,
	}
end

return shadow
