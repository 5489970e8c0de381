-- Judges which clones are fit to serve, by what users see (passive) and by checks (active).
--
--	health.failed(record, options, now)     a request to the clone failed
--	health.passed(record)                   one was answered
--	health.checked(record, options, ok, now)
--	health.is_fit(record, now)  -> whether users may be sent there, and if not, why
--
-- Failures in a row make a clone unfit for a time, which doubles when it fails again soon after it
-- came back. Checks that fail make it unfit until they pass again. Pure: the time is an argument; a
-- record is data, and belongs to one clone.

local plural = require "gridcentric.util.plural"

local health = {}

---@class gridcentric.HealthCheck
---@field path? string none: a connect is enough
---@field status? integer none: 200 to 399
---@field interval number seconds
---@field timeout number seconds
---@field fall integer
---@field rise integer

---@class gridcentric.HealthOptions
---@field failures? integer
---@field errors? boolean
---@field eject_time? number seconds
---@field max_eject_time? number seconds
---@field max_ejected? number share
---@field check? gridcentric.HealthCheck
---@field replace_after? number seconds

---@class gridcentric.HealthRecord
---@field failures integer in a row
---@field until_ number unfit until then, for failures; seconds
---@field span number how long that was; seconds
---@field sick_since number? since when its checks fail
---@field row integer checks in a row that say otherwise than sick_since
---@field why string? it is unfit

---@return gridcentric.HealthRecord
function health.new()
	return { failures = 0, until_ = -math.huge, span = 0, row = 0 }
end

-- How long it is unfit this time. It starts over once it has done well for as long as it was out.
local function next_span(record, o, now)
	local has_relapsed = now < record.until_ + record.span
	local span = has_relapsed and 2 * record.span or o.eject_time
	return math.min(span, o.max_eject_time)
end

---A request or connection failed.
---@param record gridcentric.HealthRecord
---@param o gridcentric.HealthOptions
---@param now number
---@param why string
function health.failed(record, o, now, why)
	if now < record.until_ then return end
	record.failures = record.failures + 1
	if record.failures < o.failures then return end
	record.why = ("%s in a row, the last: %s"):format(plural.count(record.failures, "failure"), why)
	record.span = next_span(record, o, now)
	record.until_ = now + record.span
	record.failures = 0
end

---A request was answered.
---@param record gridcentric.HealthRecord
function health.passed(record)
	record.failures = 0
end

---A check has passed or failed.
---@param record gridcentric.HealthRecord
---@param check gridcentric.HealthCheck
---@param now number
---@param why string? it failed
function health.checked(record, check, now, why)
	local is_sick = record.sick_since ~= nil
	if is_sick == (why ~= nil) then
		record.row = 0
		return
	end
	record.row = record.row + 1
	if record.row < (why and check.fall or check.rise) then return end
	record.row = 0
	record.sick_since = why and now or nil
	record.why = why
		and ("%s in a row failed, the last: %s"):format(plural.count(check.fall, "check"), why)
end

---@param record gridcentric.HealthRecord
---@param now number
---@return boolean
---@return string? why not
function health.is_fit(record, now)
	if not record.sick_since and now >= record.until_ then return true end
	return false, record.why
end

---Whether one more may be ejected: at most a share of all, never the last one.
---@param o gridcentric.HealthOptions
---@param nready integer clones in rotation
---@param nejected integer
---@return boolean
function health.may_eject(o, nready, nejected)
	return nready > 1 and nejected + 1 <= o.max_ejected * (nready + nejected)
end

return health
