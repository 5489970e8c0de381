-- clamp { min = 1, max = 4, ratio {} }: what the part says, within bounds.

local arguments = require "gridcentric.policy.arguments"
local combine = require "gridcentric.policy.combine"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

---@param given gridcentric.ClampOptions
---@return gridcentric.Scale
local function clamp(given)
	local o, parts = arguments.demand(schema.clamp, given)
	local min, max = o.min, o.max or math.huge
	if min > max then error(("clamp: min is %d, but max %d"):format(min, max), 2) end

	return origin.note(function(now, sample, state)
		local desired, reason, code, limits = combine.ask(parts[1], 1, now, sample, state)
		combine.leave(state, limits)
		if not desired then return nil, reason, code end
		if desired < min then return min, combine.bounded(reason, "at least", min) end
		if desired <= max then return desired, reason end
		combine.leave(state, { is_limited = true })
		return max, combine.bounded(reason, "at most", max)
	end, parts)
end

return clamp
