-- When something holds: windows of the week, and times as in crontab.
--
--	Mon-Fri 08:00-18:00         days and times; either may be left out
--	Mon,Wed-Fri 08:00-12:00,13:00-17:00
--	Fri,Sat 22:00-04:00         over midnight: what begins on these days
--	* 8-17 * * Mon-Fri          see cron.lua
--	Sat,Sun UTC                 instead of local time
--
-- Local time follows the time zone and its summer time: of an hour that comes twice both are in,
-- one that is left out is never seen.

local cron = require "gridcentric.policy.text.cron"
local lpeg = require "lpeg"
local syntax = require "gridcentric.policy.text.syntax"
local types = require "gridcentric.util.types"

local P, R, S, C, Cc, Cg, Ct = lpeg.P, lpeg.R, lpeg.S, lpeg.C, lpeg.Cc, lpeg.Cg, lpeg.Ct
local expect = syntax.expect

local calendar = {}

---@alias gridcentric.Zone "local"|"utc"

local DAY_MINUTES = 24 * 60

-- What a window is made of -----------------------------------------------------------------------

-- Days from the first to the last, perhaps over the week's end; Sunday is 1 as in os.date.
local function add_days(days, first, last)
	local day = first
	while day ~= last do
		days[day] = true
		day = day % 7 + 1
	end
	days[last] = true
	return days
end

local function to_days(ranges)
	local days = {}
	for _, range in ipairs(ranges) do add_days(days, range[1], range[2] or range[1]) end
	return days
end

local function to_minutes(hour, minute)
	return tonumber(hour) * 60 + tonumber(minute)
end

-- Whether a span holds at a minute of today; if it is over midnight, yesterday's may.
local function span_fits(span, minute, today, yesterday)
	if span.from < span.to then return today and minute >= span.from and minute < span.to end
	return today and minute >= span.from or yesterday and minute < span.to
end

local function to_matcher(window)
	local days = window.days or add_days({}, 1, 7)
	local spans = window.spans or { { from = 0, to = DAY_MINUTES } }
	return function(date)
		local today, yesterday = days[date.wday], days[(date.wday + 5) % 7 + 1]
		local minute = date.hour * 60 + date.min
		for _, span in ipairs(spans) do
			if span_fits(span, minute, today, yesterday) then return true end
		end
		return false
	end
end

-- The grammar ------------------------------------------------------------------------------------

local blank = S " \t"^0

local function symbol(text)
	return P(text) * blank
end

local function list(item)
	return Ct(item * (symbol "," * item)^0)
end

local digit = R "09"
local hour = P "2" * R "03" + S "01" * digit + digit
local clock = (P "24:00" * Cc(24, 0) + C(hour) * ":" * C(R "05" * digit)) / to_minutes * blank

local day = lpeg.P(false)
for i, name in ipairs { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" } do
	day = day + P(name) * -R("az", "AZ") * Cc(i)
end
day = day * blank

local a_time = clock + expect "a time as 18:00"
local a_day = day + expect "a day as Mon"
local dash = symbol "-" + expect '"-"'

local function lasts(span) return span.from ~= span.to end

local span = Ct(Cg(clock, "from") * dash * Cg(a_time, "to"))
local lasting = syntax.check(span, lasts, "both times are the same")
local spans = list(lasting + expect "times as 08:00-18:00")
local days = list(Ct(day * (symbol "-" * a_day)^-1) + expect "days as Mon-Fri") / to_days
local window = Ct(Cg(days, "days") * Cg(spans, "spans")^-1 + Cg(spans, "spans")) / to_matcher

-- Times, too, begin with digits, but their first word has a colon.
local is_cron = #(S "*0123456789" * (1 - S ": \t")^0 * S " \t")
local zone = Cg(P "UTC" * blank * Cc "utc", "zone")

local when = blank * Ct(
	Cg(is_cron * cron.pattern * blank + (window - is_cron), "fits")
	* (zone + expect '"UTC"')^-1
) * (-P(1) + expect "the end")

---Makes a function that tells whether the given time (seconds since 1970) is in the window.
---@param text string
---@param default_zone? gridcentric.Zone where the text names none ("local")
---@return (fun(time: number): boolean)? contains
---@return integer? at where the text is wrong
---@return string? message
function calendar.parse(text, default_zone)
	local parsed, at, message = syntax.match(when, text)
	if not parsed then return nil, at, message end
	local format = (parsed.zone or default_zone) == "utc" and "!*t" or "*t"
	return function(time) return parsed.fits(os.date(format, math.floor(time))) end
end

---The check of a type: text that parse() understands.
---@return string?
---@return string? err
function calendar.window(value)
	if type(value) ~= "string" then
		return types.mismatch("days and times", value)
	end
	local contains, at, message = calendar.parse(value)
	if not contains then return nil, ("%s: column %d: %s"):format(types.show(value), at, message) end
	return value
end

return calendar
