-- Times as in crontab(5): "*/15 8-17 * * Mon-Fri" holds in each minute that fits all five fields:
-- minute, hour, day of month, month, day of week.
--
-- A field is a list of numbers, ranges (8-17) and *, each perhaps in steps (*/15, 8-17/3, 5/15).
-- Months and days of the week have names, too; Sunday is 0 and 7. As in cron, where neither of the
-- two days is *, one that fits is enough.

local lpeg = require "lpeg"
local syntax = require "gridcentric.policy.text.syntax"

local P, R, S = lpeg.P, lpeg.R, lpeg.S
local C, Cc, Cg, Cmt, Ct = lpeg.C, lpeg.Cc, lpeg.Cg, lpeg.Cmt, lpeg.Ct
local expect = syntax.expect

local cron = {}

local function numbered(first, names)
	local numbers = {}
	for name in names:gmatch "%a+" do
		numbers[name] = first
		first = first + 1
	end
	return numbers
end

local MONTHS = numbered(1, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec")
local DAYS = numbered(0, "Sun Mon Tue Wed Thu Fri Sat")

-- A number between the two, by digits or by name.
local function number(what, min, max, names)
	local function check(_, _, word)
		local n = math.tointeger(tonumber(word) or names and names[word])
		return n ~= nil and n >= min and n <= max, n
	end
	local word = C(R "09"^1 + R("AZ", "az")^1)
	return Cmt(word, check) + expect(("%s from %d to %d"):format(what, min, max))
end

local step = P "/" * Cg(number("a step", 1, 59), "step")

-- The set of all numbers of a field's items.
local function to_set(max, items)
	local set = { is_any = items[1].is_any }
	for _, item in ipairs(items) do
		local last = item.to or item.step and max or item.from
		for n = item.from, last, item.step or 1 do set[n] = true end
	end
	return set
end

-- A field: the set of the numbers that fit.
local function field(what, min, max, names)
	local n = number(what, min, max, names)
	local function rises(range) return not range.to or range.from <= range.to end
	local any = P "*" * Cg(Cc(min), "from") * Cg(Cc(max), "to") * Cg(Cc(true), "is_any")
	local range = Cg(n, "from") * (P "-" * Cg(n, "to"))^-1
	local item = syntax.check(Ct((any + range) * step^-1), rises, "the range does not rise")
	return Ct(item * (P "," * item)^0) / function(items) return to_set(max, items) end
end

local function day_fits(fields, date)
	local in_month = fields.day[date.day]
	local in_week = fields.weekday[date.wday - 1] or date.wday == 1 and fields.weekday[7]
	if fields.day.is_any or fields.weekday.is_any then return in_month and in_week end
	return in_month or in_week
end

local function to_matcher(fields)
	return function(date)
		return (fields.minute[date.min] and fields.hour[date.hour] and fields.month[date.month]
			and day_fits(fields, date)) == true
	end
end

local gap = S " \t"^1 + expect "a blank and the next field"

---Five fields; returns a function that tells whether a date (as of os.date) fits them.
cron.pattern = Ct(
	Cg(field("a minute", 0, 59), "minute") * gap
	* Cg(field("an hour", 0, 23), "hour") * gap
	* Cg(field("a day of the month", 1, 31), "day") * gap
	* Cg(field("a month", 1, 12, MONTHS), "month") * gap
	* Cg(field("a day of the week", 0, 7, DAYS), "weekday")
) / to_matcher

return cron
