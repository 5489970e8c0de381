local calendar = require "gridcentric.policy.text.calendar"
local uv = require "luv"

-- 2024-01-01 was a Monday.
local function at(day, clock)
	local hour, minute = clock:match "^(%d+):(%d+)$"
	local days = { Mon = 0, Tue = 1, Wed = 2, Thu = 3, Fri = 4, Sat = 5, Sun = 6 }
	return 1704067200 + days[day] * 86400 + hour * 3600 + minute * 60
end

local function is_in(window, day, clock)
	return assert(calendar.parse(window, "utc"))(at(day, clock))
end

describe("a calendar's window", function()
	it("has days and times", function()
		assert.is_true(is_in("Mon-Fri 08:00-18:00", "Mon", "08:00"))
		assert.is_true(is_in("Mon-Fri 08:00-18:00", "Fri", "17:59"))
		assert.is_false(is_in("Mon-Fri 08:00-18:00", "Mon", "07:59"))
		assert.is_false(is_in("Mon-Fri 08:00-18:00", "Mon", "18:00"))
		assert.is_false(is_in("Mon-Fri 08:00-18:00", "Sat", "12:00"))
	end)

	it("lasts whole days without times, and is daily without days", function()
		assert.is_true(is_in("Sat,Sun", "Sun", "23:59"))
		assert.is_false(is_in("Sat,Sun", "Mon", "00:00"))
		assert.is_true(is_in("8:00-24:00", "Wed", "23:59"))
		assert.is_false(is_in("8:00-24:00", "Wed", "07:59"))
	end)

	it("has lists", function()
		local window = "Mon, Wed-Fri 08:00-12:00, 13:00-17:00"
		assert.is_true(is_in(window, "Thu", "11:59"))
		assert.is_false(is_in(window, "Thu", "12:30"))
		assert.is_true(is_in(window, "Mon", "13:00"))
		assert.is_false(is_in(window, "Tue", "13:00"))
	end)

	it("may go over the week's end", function()
		for day, expected in pairs { Fri = true, Sat = true, Sun = true, Mon = true, Tue = false } do
			assert.equal(expected, is_in("Fri-Mon", day, "12:00"))
		end
	end)

	it("over midnight belongs to the day on which it begins", function()
		local window = "Fri,Sun 22:00-04:00"
		assert.is_true(is_in(window, "Fri", "22:00"))
		assert.is_true(is_in(window, "Sat", "03:59"))
		assert.is_false(is_in(window, "Sat", "04:00"))
		assert.is_false(is_in(window, "Sat", "22:00"))
		assert.is_false(is_in(window, "Fri", "03:00"))
		assert.is_true(is_in(window, "Mon", "03:00"))
	end)

	it("may be five fields as in crontab", function()
		assert.is_true(is_in("* 8-17 * * Mon-Fri", "Tue", "17:59"))
		assert.is_false(is_in("* 8-17 * * Mon-Fri", "Tue", "18:00"))
		assert.is_false(is_in("* 8-17 * * Mon-Fri UTC", "Sun", "12:00"))
	end)

	it("bears fractions of a second", function()
		local contains = assert(calendar.parse("08:00-08:01", "utc"))
		assert.is_true(contains(at("Mon", "08:00") + 59.9))
		assert.is_false(contains(at("Mon", "08:01") + 0.1))
	end)

	describe("in local time", function()
		local zone

		-- mktime() has the C library look at TZ anew
		local function set_zone(value)
			if value then uv.os_setenv("TZ", value) else uv.os_unsetenv "TZ" end
			os.time { year = 2024, month = 1, day = 1 }
		end

		setup(function()
			zone = os.getenv "TZ"
			set_zone "CET-1CEST,M3.5.0,M10.5.0/3"
		end)
		teardown(function() set_zone(zone) end)

		local function utc(month, day, hour, minute)
			local days = { [1] = 0, [3] = 60, [7] = 182, [10] = 274 } -- before the month, in 2024
			return 1704067200 + ((days[month] + day - 1) * 24 + hour) * 3600 + (minute or 0) * 60
		end

		it("follows summer time", function()
			local contains = assert(calendar.parse "08:00-18:00")
			assert.is_false(contains(utc(1, 10, 6, 59)))
			assert.is_true(contains(utc(1, 10, 7)))
			assert.is_false(contains(utc(7, 10, 5, 59)))
			assert.is_true(contains(utc(7, 10, 6)))
			assert.is_false(contains(utc(7, 10, 16)))
		end)

		it("has an hour twice, or not at all", function()
			local contains = assert(calendar.parse "02:00-03:00")
			local seen = 0
			for minute = 0, 1439 do
				if contains(utc(10, 27, 0, minute)) then seen = seen + 1 end
			end
			assert.equal(120, seen)
			for minute = 0, 1379 do assert.is_false(contains(utc(3, 31, 0, minute - 60))) end
		end)

		it("is overridden by UTC in the text, and by the default zone", function()
			local july = utc(7, 10, 6, 30)
			assert.is_true(assert(calendar.parse "08:00-18:00")(july))
			assert.is_false(assert(calendar.parse "08:00-18:00 UTC")(july))
			assert.is_false(assert(calendar.parse("08:00-18:00", "utc"))(july))
		end)
	end)

	it("tells what is wrong with it, and where", function()
		local function wrong(text)
			local contains, column, message = calendar.parse(text)
			assert.is_nil(contains)
			return ("%d: %s"):format(column, message)
		end
		assert.equal("1: days as Mon-Fri or times as 08:00-18:00 expected, got the end", wrong "")
		assert.equal('1: days as Mon-Fri or times as 08:00-18:00 expected, got "Monday"', wrong "Monday")
		assert.equal("5: a day as Mon expected, got the end", wrong "Mon-")
		assert.equal('9: "UTC", the end or times as 08:00-18:00 expected, got "CET"', wrong "Mon-Fri CET")
		assert.equal('7: a time as 18:00 expected, got "25"', wrong "08:00-25:00")
		assert.equal("1: both times are the same", wrong "08:00-08:00")
		assert.equal('1: a minute from 0 to 59 expected, got "60"', wrong "60 * * * *")
	end)

	it("is a type for options", function()
		assert.equal("Mon", calendar.window "Mon")
		local _, err = calendar.window "Mon-"
		assert.equal('"Mon-": column 5: a day as Mon expected, got the end', err)
		assert.same({ nil, "days and times expected, got 3" }, { calendar.window(3) })
	end)
end)
