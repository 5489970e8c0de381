-- What the grammars of policies share: what was expected where, and how that is told.
--
--	local p = lpeg.P "up" + syntax.expect '"up"'
--	local result, pos, message = syntax.match(p * -1, text)
--	if not result then print(syntax.report(text, pos, message)) end
--
-- A PEG has no error but that nothing fits. So each place that can fail notes how far it came and
-- what would have fitted; what was expected at the furthest place is the error.

local lpeg = require "lpeg"

local syntax = {}

local LONGEST_LINE = 100 -- bytes of a line that are shown
local LONGEST_WORD = 40

---@class gridcentric.SyntaxTrace
---@field at integer the furthest place
---@field expected table<string, boolean> there
---@field wrong string? something else is wrong there than that something else was expected
---@field depth integer how many parentheses are open

local function note(trace, at, what)
	if trace.wrong or at < trace.at then return end
	if at > trace.at then trace.at, trace.expected = at, {} end
	trace.expected[what] = true
end

local function blame(trace, at, message)
	if not trace.wrong then trace.at, trace.wrong = at, message end
end

-- A pattern that calls fn and never matches. LPeg, which would take it for one that matches nothing
-- at all and so for an empty loop, knows P(false).
local function never(fn)
	return lpeg.Cmt(lpeg.Carg(1), fn) * lpeg.P(false)
end

---A pattern that never matches: here `what` was expected.
---@param what string in words
---@return userdata pattern
function syntax.expect(what)
	return never(function(_, at, trace) note(trace, at, what) end)
end

---A pattern that never matches: here is what is wrong, whatever else may fit.
---@param message string
---@return userdata pattern
function syntax.fail(message)
	return never(function(_, at, trace) blame(trace, at, message) end)
end

---A pattern that matches, and returns, what another does; but if its value does not pass a check,
---that is what is wrong, whatever else may fit.
---@param pattern userdata that returns one value
---@param is_right fun(value: any): boolean
---@param message string
---@return userdata pattern
function syntax.check(pattern, is_right, message)
	return lpeg.Cmt(lpeg.Cp() * pattern * lpeg.Carg(1), function(_, _, start, value, trace)
		if is_right(value) then return true, value end
		blame(trace, start, message)
		return false
	end)
end

---What stands between `open` and `close`, nested no deeper than the limit, which keeps LPeg's stack
---from overflowing. No alternative may read the same `open` anew.
---@param open userdata pattern
---@param inner userdata pattern
---@param close userdata pattern
---@param limit integer
---@return userdata pattern
function syntax.nested(open, inner, close, limit)
	local enter = lpeg.Cmt(lpeg.Carg(1), function(_, _, trace)
		trace.depth = trace.depth + 1
		return trace.depth <= limit
	end)
	local leave = lpeg.Cmt(lpeg.Carg(1), function(_, _, trace)
		trace.depth = trace.depth - 1
		return true
	end)
	local too_deep = syntax.fail(("nested more than %d deep"):format(limit))
	return open * (enter + too_deep) * inner * close * leave
end

-- "a, b or c", in order, so that the same mistake is always told in the same words.
local function listed(set)
	local items = {}
	for item in pairs(set) do items[#items + 1] = item end
	table.sort(items)
	local last = table.remove(items)
	return #items > 0 and ("%s or %s"):format(table.concat(items, ", "), last) or last
end

local function found(text, at)
	if at > #text then return "the end" end
	local word = text:match("^[%w_.]+", at) or text:match("^" .. utf8.charpattern, at)
	if not word or word:find "[\0-\31]" then return ("byte %d"):format(text:byte(at)) end
	return ('"%s"'):format(#word <= LONGEST_WORD and word or word:sub(1, LONGEST_WORD) .. "...")
end

---@param pattern userdata that returns one value
---@param text string
---@param ... any for the pattern: Carg(2) and so on
---@return any # what the pattern returns, or nil
---@return integer? at where it does not fit
---@return string? message
function syntax.match(pattern, text, ...)
	local trace = { at = 1, expected = {}, depth = 0 }
	local result = lpeg.match(pattern, text, 1, trace, ...)
	if result ~= nil then return result end
	local message = trace.wrong
		or ("%s expected, got %s"):format(listed(trace.expected), found(text, trace.at))
	return nil, trace.at, message
end

-- The number of the line, where it starts and ends.
local function line_around(text, at)
	local number, first = 1, 1
	for stop in text:gmatch "()\n" do
		if stop >= at then return number, first, stop - 1 end
		number, first = number + 1, stop + 1
	end
	return number, first, #text
end

-- As wide as the text is where it is shown.
local function padding(text)
	return (text:gsub("[\128-\191]", ""):gsub("[^\t]", " "))
end

---"line 2, column 6: MESSAGE", and below that the line with a caret under the place.
---@param text string
---@param at integer in bytes; what is at the end is told right behind the last word
---@param message string
---@return string
function syntax.report(text, at, message)
	if at > #text then at = #text:match "^(.-)%s*$" + 1 end
	local number, first, last = line_around(text, at)
	local column = #text:sub(first, at - 1):gsub("[\128-\191]", "") + 1
	first = math.max(first, at - LONGEST_LINE // 2)
	last = math.min(last, first + LONGEST_LINE)
	return ("line %d, column %d: %s\n\t%s\n\t%s^"):format(number, column, message,
		text:sub(first, last), padding(text:sub(first, at - 1)))
end

return syntax
