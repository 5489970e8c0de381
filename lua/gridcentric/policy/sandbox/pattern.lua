-- Lua's patterns, matched by Lua: as slow as they may be, a debug hook can interrupt them. Follows
-- lstrlib.c of Lua 5.4; for policies whose pattern could keep C's matcher busy for ever.

local pattern = {}

local MAX_CAPTURES = 32
local MAX_DEPTH = 180 -- of recursion; Lua's C stack bears 200
local POSITION, UNCLOSED = -2, -1 -- instead of a capture's length

local SPECIAL = "[%^%$%*%+%?%.%(%[%%%-]" -- without these find() takes a pattern for plain text

local byte, sub = string.byte, string.sub

---@class gridcentric.MatchState
---@field s string
---@field p string
---@field level integer captures so far, closed or not
---@field init integer[] where each begins
---@field len integer[] how long each is, POSITION or UNCLOSED
---@field depth integer

local CLASS = {}
for class, name in pairs {
	a = "%a", c = "%c", d = "%d", g = "%g", l = "%l", p = "%p", s = "%s", u = "%u", w = "%w", x = "%x",
	z = "%z",
} do
	CLASS[byte(class)] = name
	CLASS[byte(class:upper())] = "%" .. class:upper()
end

local function class_fits(c, class)
	local known = CLASS[class]
	if known then return string.find(string.char(c), known) ~= nil end
	return c == class
end

-- Behind a single item of the pattern.
local function class_end(m, p)
	local c = byte(m.p, p)
	p = p + 1
	if c == 37 then -- %
		if p > #m.p then error("malformed pattern (ends with '%')", 0) end
		return p + 1
	end
	if c ~= 91 then return p end -- [
	if byte(m.p, p) == 94 then p = p + 1 end -- ^
	repeat
		if p > #m.p then error("malformed pattern (missing ']')", 0) end
		local inner = byte(m.p, p)
		p = p + 1
		if inner == 37 then p = p + 1 end
	until byte(m.p, p) == 93 -- ]
	return p + 1
end

-- Whether a byte is in the set from p to `last`, which is the "]".
local function set_fits(m, c, p, last)
	local found = true
	if byte(m.p, p + 1) == 94 then
		found, p = false, p + 1
	end
	p = p + 1
	while p < last do
		local first = byte(m.p, p)
		if first == 37 then
			if class_fits(c, byte(m.p, p + 1)) then return found end
			p = p + 2
		elseif byte(m.p, p + 1) == 45 and p + 2 < last then
			if first <= c and c <= byte(m.p, p + 2) then return found end
			p = p + 3
		else
			if first == c then return found end
			p = p + 1
		end
	end
	return not found
end

local function single_fits(m, s, p, after)
	local c = byte(m.s, s)
	if not c then return false end
	local item = byte(m.p, p)
	if item == 46 then return true end -- .
	if item == 37 then return class_fits(c, byte(m.p, p + 1)) end
	if item == 91 then return set_fits(m, c, p, after - 1) end
	return item == c
end

local match

local function match_balance(m, s, p)
	if p + 1 > #m.p then error("malformed pattern (missing arguments to '%b')", 0) end
	local open, close = byte(m.p, p, p + 1)
	if byte(m.s, s) ~= open then return nil end
	local depth = 1
	for at = s + 1, #m.s do
		local c = byte(m.s, at)
		if c == close then
			depth = depth - 1
			if depth == 0 then return at + 1 end
		elseif c == open then
			depth = depth + 1
		end
	end
end

local function max_expand(m, s, p, after)
	local n = 0
	while single_fits(m, s + n, p, after) do n = n + 1 end
	for i = n, 0, -1 do
		local stop = match(m, s + i, after + 1)
		if stop then return stop end
	end
end

local function min_expand(m, s, p, after)
	while true do
		local stop = match(m, s, after + 1)
		if stop then return stop end
		if not single_fits(m, s, p, after) then return nil end
		s = s + 1
	end
end

local function start_capture(m, s, p, what)
	if m.level >= MAX_CAPTURES then error("too many captures", 0) end
	m.level = m.level + 1
	m.init[m.level], m.len[m.level] = s, what
	local stop = match(m, s, p)
	if not stop then m.level = m.level - 1 end
	return stop
end

local function end_capture(m, s, p)
	local level
	for i = m.level, 1, -1 do
		if m.len[i] == UNCLOSED then
			level = i
			break
		end
	end
	if not level then error("invalid pattern capture", 0) end
	m.len[level] = s - m.init[level]
	local stop = match(m, s, p)
	if not stop then m.len[level] = UNCLOSED end
	return stop
end

local function match_back(m, s, digit)
	local level = digit - 48
	if level < 1 or level > m.level or m.len[level] == UNCLOSED then
		error(("invalid capture index %%%d in pattern"):format(level), 0)
	end
	local len = m.len[level]
	if len == POSITION then return nil end
	local before = sub(m.s, m.init[level], m.init[level] + len - 1)
	return sub(m.s, s, s + len - 1) == before and s + len or nil
end

local function match_frontier(m, s, p)
	if byte(m.p, p) ~= 91 then error("missing '[' after '%f' in pattern", 0) end
	local after = class_end(m, p)
	local before, here = byte(m.s, s - 1) or 0, byte(m.s, s) or 0
	if s == 1 then before = 0 end
	if set_fits(m, before, p, after - 1) or not set_fits(m, here, p, after - 1) then return nil end
	return after
end

-- A single item, perhaps repeated. Returns where the match ends, or where it goes on: s and p.
local function match_item(m, s, p)
	local after = class_end(m, p)
	local suffix = byte(m.p, after)
	if suffix == 42 then return max_expand(m, s, p, after) end -- *
	if suffix == 45 then return min_expand(m, s, p, after) end -- -
	local fits = single_fits(m, s, p, after)
	if suffix == 43 then return fits and max_expand(m, s + 1, p, after) or nil end -- +
	if suffix == 63 then -- ?
		local stop = fits and match(m, s + 1, after + 1)
		if stop then return stop end
		return nil, s, after + 1
	end
	if fits then return nil, s + 1, after end
end

-- What begins with %, if it is no class. Returns true and where to go on, or nil.
local function match_escape(m, s, p)
	local c = byte(m.p, p + 1)
	if c == 98 then -- %b
		local stop = match_balance(m, s, p + 2)
		return true, stop, p + 4
	end
	if c == 102 then -- %f
		local after = match_frontier(m, s, p + 2)
		return true, after and s, after
	end
	if c and c >= 48 and c <= 57 then return true, match_back(m, s, c), p + 2 end
end

local function match_from(m, s, p)
	while p <= #m.p do
		local c = byte(m.p, p)
		if c == 40 then -- (
			if byte(m.p, p + 1) == 41 then return start_capture(m, s, p + 2, POSITION) end
			return start_capture(m, s, p + 1, UNCLOSED)
		end
		if c == 41 then return end_capture(m, s, p + 1) end -- )
		if c == 36 and p == #m.p then return s == #m.s + 1 and s or nil end -- $
		local is_escape, next_s, next_p
		if c == 37 then is_escape, next_s, next_p = match_escape(m, s, p) end
		if not is_escape then
			local stop
			stop, next_s, next_p = match_item(m, s, p)
			if stop then return stop end
		end
		if not next_s then return nil end
		s, p = next_s, next_p
	end
	return s
end

function match(m, s, p)
	m.depth = m.depth + 1
	if m.depth > MAX_DEPTH then error("pattern too complex", 0) end
	local stop = match_from(m, s, p)
	m.depth = m.depth - 1
	return stop
end

-- From a place on: where it fits, and the state; nil if it does not.
local function search(s, p, from)
	local is_anchored = byte(p, 1) == 94
	local m = { s = s, p = p, init = {}, len = {} }
	for at = from, #s + 1 do
		m.level, m.depth = 0, 0
		local stop = match(m, at, is_anchored and 2 or 1)
		if stop then return m, at, stop end
		if is_anchored then return nil end
	end
end

local function capture(m, i, first, stop)
	if i > m.level then
		if i > 1 then error(("invalid capture index %%%d"):format(i), 0) end
		return sub(m.s, first, stop - 1)
	end
	if m.len[i] == UNCLOSED then error("unfinished capture", 0) end
	if m.len[i] == POSITION then return m.init[i] end
	return sub(m.s, m.init[i], m.init[i] + m.len[i] - 1)
end

-- All captures, or the whole if there is none and `whole` is given.
local function captures(m, first, stop, whole)
	local list = {}
	local n = m.level == 0 and whole and 1 or m.level
	for i = 1, n do list[i] = capture(m, i, first, stop) end
	return list
end

local function start_of(s, init)
	init = init or 1
	if init < 0 then init = math.max(#s + init + 1, 1) end
	return math.max(init, 1)
end

function pattern.find(s, p, init, plain)
	if plain or not string.find(p, SPECIAL) then return string.find(s, p, init, true) end
	local m, first, stop = search(s, p, start_of(s, init))
	if not m then return nil end
	return first, stop - 1, table.unpack(captures(m, first, stop))
end

function pattern.match(s, p, init)
	local m, first, stop = search(s, p, start_of(s, init))
	if not m then return nil end
	return table.unpack(captures(m, first, stop, true))
end

function pattern.gmatch(s, p, init)
	local at, last = start_of(s, init), nil
	-- "^" is no anchor here
	if byte(p, 1) == 94 then p = "%" .. p end
	return function()
		while at <= #s + 1 do
			local m, first, stop = search(s, p, at)
			if not m then
				at = #s + 2
				return nil
			end
			at = stop > first and stop or first
			if stop ~= last then
				last = stop
				at = stop
				return table.unpack(captures(m, first, stop, true))
			end
			at = first + 1
		end
	end
end

local function replacement(m, first, stop, repl)
	local whole = sub(m.s, first, stop - 1)
	local value
	if type(repl) == "table" then
		value = repl[capture(m, 1, first, stop)]
	elseif type(repl) == "function" then
		value = repl(table.unpack(captures(m, first, stop, true)))
	else
		value = string.gsub(repl, "%%(.?)", function(c)
			if c == "0" then return whole end
			if c == "%" then return "%" end
			local i = math.tointeger(tonumber(c))
			if not i then error("invalid use of '%' in replacement string", 0) end
			return tostring(capture(m, i, first, stop))
		end)
	end
	if not value then return whole end
	if type(value) ~= "string" and type(value) ~= "number" then
		error(("invalid replacement value (a %s)"):format(type(value)), 0)
	end
	return tostring(value)
end

function pattern.gsub(s, p, repl, most)
	local parts, at, n, last = {}, 1, 0, nil
	local is_anchored = byte(p, 1) == 94
	while n < (most or math.huge) do
		local m, first, stop = search(s, p, at)
		if not m then break end
		parts[#parts + 1] = sub(s, at, first - 1)
		if stop ~= last then
			n = n + 1
			parts[#parts + 1] = replacement(m, first, stop, repl)
			at, last = stop, stop
		elseif first <= #s then
			parts[#parts + 1] = sub(s, first, first)
			at = first + 1
		else
			at = first
			break
		end
		if is_anchored then break end
	end
	parts[#parts + 1] = sub(s, at)
	return table.concat(parts), n
end

return pattern
