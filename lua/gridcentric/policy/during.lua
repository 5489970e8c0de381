-- during { when = "Mon-Fri 08:00-18:00", target { ... }, otherwise = ratio {} }: one policy at some
-- times, perhaps another at others. For `when` see calendar.lua.

local arguments = require "gridcentric.policy.arguments"
local calendar = require "gridcentric.policy.text.calendar"
local combine = require "gridcentric.policy.combine"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

---@param given gridcentric.DuringOptions
---@return gridcentric.Scale
local function during(given)
	local o, parts = arguments.demand(schema.during, given)
	local contains = calendar.parse(o.when, o.zone)
	local inside, outside = ("in %s"):format(o.when), ("not in %s"):format(o.when)
	local function ask(part, key, where, now, sample, state)
		local desired, reason, code, limits = combine.ask(part, key, now, sample, state)
		combine.leave(state, limits)
		return desired, combine.join(reason, where), code
	end

	return origin.note(function(now, sample, state)
		combine.leave(state, nil)
		if not sample.time then return metric.missing "time" end
		if contains(sample.time) then return ask(parts[1], 1, inside, now, sample, state) end
		if not o.otherwise then return nil, outside end
		return ask(o.otherwise, "otherwise", outside, now, sample, state)
	end, { parts[1], o.otherwise })
end

return during
