-- ratio { metric = "sessions", per_clone = 2 }: one clone for every so many.
--
-- How to add a policy: copy this file and its part of spec/config/load_spec.lua, and name it in
-- READY of config/load.lua and in meta/policy.lua. It checks its options at once and returns a pure
-- function; what it wants to remember it keeps in `state`, a table of its own, never in a variable.

local options = require "gridcentric.util.options"

---@class gridcentric.RatioOptions
---@field metric? "sessions"|"connections" what is counted (sessions)
---@field per_clone? number how many one clone is to serve (2)

local OPTIONS = {
	metric = { options.one_of("sessions", "connections"), default = "sessions" },
	per_clone = { options.number(0.001), default = 2 },
}

---As many clones as it takes if each serves up to per_clone of what the metric counts.
---@param given gridcentric.RatioOptions
---@return gridcentric.Scale
local function ratio(given)
	local o = options.demand(OPTIONS, given, "ratio")
	local one = o.metric:gsub("s$", "")
	return function(now, sample, state)
		local n = sample[o.metric]
		local what = n == 1 and one or o.metric
		return math.ceil(n / o.per_clone), ("%d %s, %g per clone"):format(n, what, o.per_clone)
	end
end

return ratio
