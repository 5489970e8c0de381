-- during { when = "Mon-Fri 08:00-18:00", target { ... }, otherwise = ratio {} }: one policy at some
-- times, perhaps another at others. For `when` see calendar.lua.

local arguments = require "gridcentric.policy.arguments"
local calendar = require "gridcentric.policy.text.calendar"
local combine = require "gridcentric.policy.combine"
local metric = require "gridcentric.policy.metric"
local options = require "gridcentric.util.options"

---@class gridcentric.DuringOptions
---@field when string "Mon-Fri 08:00-18:00", "22:00-06:00 UTC", or five fields as in crontab
---@field zone? gridcentric.Zone where `when` names none ("local")
---@field [1] gridcentric.Part the policy then
---@field otherwise? gridcentric.Part the policy at other times (none: no opinion)

local OPTIONS = {
	when = { calendar.window, required = true },
	zone = { options.one_of("local", "utc"), default = "local" },
	otherwise = { combine.part },
}

---@param given gridcentric.DuringOptions
---@return gridcentric.Scale
local function during(given)
	local o, parts = arguments.demand(OPTIONS, combine.part, 1, given, "during")
	if #parts > 1 then error("during: one policy expected (max_of or min_of join several)", 2) end
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
