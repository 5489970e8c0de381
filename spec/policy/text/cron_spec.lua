local cron = require "gridcentric.policy.text.cron"
local syntax = require "gridcentric.policy.text.syntax"

-- 2024-01-01 was a Monday.
local MONDAY = { min = 30, hour = 12, day = 1, month = 1, wday = 2 }

local function fits(text, changes)
	local date = {}
	for field, value in pairs(MONDAY) do date[field] = value end
	for field, value in pairs(changes or {}) do date[field] = value end
	local matcher = assert(syntax.match(cron.pattern * -1, text))
	return matcher(date)
end

local function wrong(text)
	local matcher, column, message = syntax.match(cron.pattern * -1, text)
	assert.is_nil(matcher)
	return ("%d: %s"):format(column, message)
end

describe("cron", function()
	it("fits all five fields", function()
		assert.is_true(fits "* * * * *")
		assert.is_true(fits "30 12 1 1 1")
		assert.is_false(fits "31 12 1 1 *")
		assert.is_false(fits "30 11 1 1 *")
		assert.is_false(fits "30 12 2 1 *")
		assert.is_false(fits "30 12 1 2 *")
		assert.is_false(fits "30 12 * 1 2")
	end)

	it("has lists, ranges and steps", function()
		assert.is_true(fits "0,30 * * * *")
		assert.is_true(fits "0-15,25-35 * * * *")
		assert.is_true(fits "*/15 * * * *")
		assert.is_false(fits("*/15 * * * *", { min = 31 }))
		assert.is_true(fits "10-50/20 * * * *")
		assert.is_false(fits("10-50/20 * * * *", { min = 40 }))
		assert.is_true(fits "10/20 * * * *")
		assert.is_true(fits("10/20 * * * *", { min = 50 }))
	end)

	it("has names, and two numbers for Sunday", function()
		assert.is_true(fits "* * * Jan-Mar Mon-Fri")
		assert.is_false(fits("* * * Jan-Mar Mon-Fri", { wday = 7 }))
		assert.is_false(fits "* * * Feb *")
		for _, sunday in ipairs { "0", "7", "Sun", "6-7" } do
			assert.is_true(fits("* * * * " .. sunday, { wday = 1 }))
			assert.is_false(fits("* * * * " .. sunday))
		end
	end)

	it("takes one of the two days for enough, if neither is *", function()
		assert.is_true(fits "* * 13 * Mon")
		assert.is_true(fits("* * 13 * Mon", { day = 13, wday = 5 }))
		assert.is_false(fits("* * 13 * Mon", { day = 14, wday = 5 }))
		assert.is_false(fits("* * */2 * Mon", { day = 2 }))
	end)

	it("tells what is wrong, and where", function()
		assert.equal('1: a minute from 0 to 59 expected, got "60"', wrong "60 * * * *")
		assert.equal('3: an hour from 0 to 23 expected, got "x"', wrong "* x * * *")
		assert.equal('5: a day of the month from 1 to 31 expected, got "0"', wrong "* * 0 * *")
		assert.equal('7: a month from 1 to 12 expected, got "Mon"', wrong "* * * Mon *")
		assert.equal('9: a day of the week from 0 to 7 expected, got "8"', wrong "* * * * 8")
		assert.equal("3: the range does not rise", wrong "* 5-3 * * *")
		assert.equal('3: a step from 1 to 59 expected, got "0"', wrong "*/0 * * * *")
		assert.equal("8: a blank and the next field expected, got the end", wrong "* * * *")
	end)
end)
