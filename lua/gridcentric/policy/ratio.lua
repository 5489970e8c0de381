-- ratio { metric = "sessions", per_clone = 2 }: one clone for every so many.
--
-- How to add a policy: copy this file and its part of spec/config/load_spec.lua, describe it in
-- schema.lua, and name it in config/globals.lua. It checks its options at once and returns a
-- pure function. What it has to remember it keeps in `state`, a table of its own, never in a
-- variable.

local arguments = require "gridcentric.policy.arguments"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

---As many clones as it takes if each serves up to per_clone of what the metric counts.
---@param given gridcentric.RatioOptions
---@return gridcentric.Scale
local function ratio(given)
	local o = arguments.demand(schema.ratio, given)
	local one = o.metric:gsub("s$", "")
	return origin.note(function(now, sample, state)
		local n = sample[o.metric]
		local what = n == 1 and one or o.metric
		return math.ceil(n / o.per_clone), ("%d %s, %g per clone"):format(n, what, o.per_clone)
	end)
end

return ratio
