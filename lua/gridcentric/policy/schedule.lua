-- schedule { { when = "Mon-Fri 08:00-18:00", clones = 4 }, default = 1 }: so many at given times.
--
-- Of several windows that hold the first one counts. Where none does and there is no default, it
-- has no opinion, so that it may be one part among others:
--
--	scale = max_of { ratio {}, schedule { { when = "Mon-Fri 07:45-09:00", clones = 4 } } }

local arguments = require "gridcentric.policy.arguments"
local calendar = require "gridcentric.policy.text.calendar"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

---@param given gridcentric.ScheduleOptions
---@return gridcentric.Scale
local function schedule(given)
	local o, windows = arguments.demand(schema.schedule, given)
	for _, window in ipairs(windows) do
		window.contains = calendar.parse(window.when, o.zone)
		window.reason = "schedule " .. window.when
	end

	return origin.note(function(now, sample, state)
		local time = sample.time
		if not time then return metric.missing "time" end
		for _, window in ipairs(windows) do
			if window.contains(time) then return window.clones, window.reason end
		end
		return o.default, "no time of the schedule"
	end)
end

return schedule
