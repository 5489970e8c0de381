-- during { when = "Mon-Fri 08:00-18:00", target { ... }, otherwise = ratio {} }: one policy at some
-- times, perhaps another at others. For `when` see calendar.lua.

local arguments = require "gridcentric.policy.arguments"
local calendar = require "gridcentric.policy.text.calendar"
local combine = require "gridcentric.policy.combine"
local metric = require "gridcentric.policy.metric"
local schema = require "gridcentric.policy.schema"

---@param given gridcentric.DuringOptions
---@return gridcentric.Scale
local function during(given)
	local o, parts = arguments.demand(schema.during, given)
	local contains = calendar.parse(o.when, o.zone)
	local inside, outside = ("in %s"):format(o.when), ("not in %s"):format(o.when)

	return function(now, sample, state)
		if not sample.time then return metric.missing "time" end
		if contains(sample.time) then
			local desired, reason, code = combine.ask(parts[1], 1, now, sample, state)
			return desired, combine.join(reason, inside), code
		end
		if not o.otherwise then return nil, outside end
		local desired, reason, code = combine.ask(o.otherwise, "otherwise", now, sample, state)
		return desired, combine.join(reason, outside), code
	end
end

return during
