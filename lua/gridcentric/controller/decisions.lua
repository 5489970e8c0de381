-- What was decided, and told: one decision for each turn of the loop in which another number of
-- clones is wanted. Decisions are numbered, so that what comes of one can refer to it; `gcscale
-- why` explains them (explain.lua).

local plural = require "gridcentric.util.plural"

local decisions = {}

-- For JSON: also when it is empty.
local ARRAY = { __jsontype = "array" }

---What the ledger keeps of a decision; the event's details.
---@class gridcentric.Decision
---@field id integer
---@field desired integer clones, as the policy said
---@field reason string why
---@field before integer clones that were wanted so far
---@field wanted integer the same from now on, within the plan's limits
---@field limits string[] of the plan that applied
---@field actions { make: integer, retire: integer } clones to be made, and to end
---@field sample gridcentric.Sample that the policy was given

---@class gridcentric.Decisions
---@field last integer number of the last one; 0: there was none
---@field wanted integer clones, by the last one
---@field at number when that was; seconds
local Decisions = { __name = "gridcentric.decisions" }
Decisions.__index = Decisions

---@param now number
---@param event fun(what: string, vmid: integer?, text: string, details: table?)
---@return gridcentric.Decisions
function decisions.new(now, event)
	return setmetatable({ event = event, last = 0, wanted = 0, at = now }, Decisions)
end

---Tells of what the turn planned, if it is another number.
---@param now number
---@param active gridcentric.ActivePolicy
---@param fleet gridcentric.Fleet
---@param sample gridcentric.Sample that the policy was given last
function Decisions:settle(now, active, fleet, sample)
	local actions = fleet.actions
	if not actions or actions.wanted == self.wanted then return end
	local before, limit = self.wanted, actions.limit
	self.last, self.wanted, self.at = self.last + 1, actions.wanted, now
	self.event("decision", nil, ("%d -> %s: %s%s"):format(
		before, plural.count(self.wanted, "clone"),
		active.reason, limit and (" (%s)"):format(limit) or ""),
		{
			id = self.last,
			desired = active.desired,
			reason = active.reason,
			before = before,
			wanted = self.wanted,
			limits = setmetatable({ limit }, ARRAY),
			actions = {
				make = #fleet.pool.coming - fleet.pool.starting,
				retire = #actions.retire,
			},
			sample = sample,
		})
end

return decisions
