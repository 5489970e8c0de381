-- The types of options: each checks a value, and says in words what it takes.
--
--	local port = types.integer(1, 65535)
--	port(8080)            8080
--	port "http"           nil, 'a whole number from 1 to 65535 expected, got "http"'
--	port.manual           "1 to 65535"        as the manual's tables have it
--	port.annotation       "integer"           as editors read it
--
-- Sizes, times and shares are taken as numbers or as text with a unit: 10, "10s"; 0.6, "60%".
-- Everything here is pure.
--
-- How to add a type: a function here that returns new(...), and its part of types_spec.lua.

local printable = require "gridcentric.util.printable"
local units = require "gridcentric.util.units"

local types = {}

---Called with a value it returns the one to use, or nil and what is wrong.
---@class gridcentric.Type
---@overload fun(value: any): any, string?
---@field private check fun(value: any): any, string?
---@field manual string what it takes, in few words
---@field annotation string the same as a type of LuaCATS
---@field unit? string of a number: "seconds"
---@field schema? gridcentric.Schema the keys of a table that has keys of its own

local Type = { __name = "gridcentric.Type" }

function Type:__call(value)
	return self.check(value)
end

local MAX_SHOWN = 40 -- bytes of a text that is repeated in a message

-- A character that would be cut is left out.
local function shorten(text)
	if #text <= MAX_SHOWN then return text end
	return text:sub(1, MAX_SHOWN - 3):gsub("[\xC0-\xFF][\x80-\xBF]*$", "") .. "..."
end

---A value as messages show it: short, on one line, and never raises.
---@param value any
---@return string
function types.show(value)
	if type(value) == "string" then
		return ('"%s"'):format(printable.line(shorten(value)))
	end
	if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
	return value == nil and "nothing" or "a " .. type(value)
end

local show = types.show

---What the check of a type returns for a value that is not of it.
---@param expected string in words
---@param value any
---@return nil
---@return string err
function types.mismatch(expected, value)
	return nil, ("%s expected, got %s"):format(expected, show(value))
end

local mismatch = types.mismatch

---Makes a type.
---@param manual string
---@param annotation string
---@param check fun(value: any): any, string?
---@return gridcentric.Type
function types.new(manual, annotation, check)
	return setmetatable({ manual = manual, annotation = annotation, check = check }, Type)
end

local new = types.new

-- Numbers ----------------------------------------------------------------------------------------

local function bounded(value, min, max)
	return value >= (min or -math.huge) and value <= (max or math.huge)
end

-- "a number from 0 to 1", and "0 to 1" for the manual.
local function range(what, min, max, bound)
	bound = bound or tostring
	if min and max then return ("%s from %s to %s"):format(what, bound(min), bound(max)) end
	return min and ("%s from %s"):format(what, bound(min)) or what
end

local function short_range(what, min, max)
	if min and max then return ("%s to %s"):format(min, max) end
	return range(what, min)
end

---A finite number.
---@param min? number
---@param max? number
---@return gridcentric.Type
function types.number(min, max)
	return new(short_range("number", min, max), "number", function(value)
		if type(value) == "number" and math.abs(value) < math.huge and bounded(value, min, max) then
			return value
		end
		return mismatch(range("a number", min, max), value)
	end)
end

---A whole number; 2.0 is one.
---@param min? integer
---@param max? integer
---@return gridcentric.Type
function types.integer(min, max)
	return new(short_range("whole number", min, max), "integer", function(value)
		local whole = type(value) == "number" and math.tointeger(value)
		if whole and bounded(whole, min, max) then return whole end
		return mismatch(range("a whole number", min, max), value)
	end)
end

local A_TIME, A_SIZE = 'a time in seconds or such as "10s"', 'a size in bytes or such as "512 MB"'
local A_SHARE = 'a share such as 0.5 or "50%"'

-- A number, or text with one of some units, in the unit that the key is in.
local function quantity(o)
	local made = new(o.manual or o.unit, "number|string", function(value)
		local n = value
		if type(value) == "string" then n = units.read(value, o.units) end
		if n and n ~= value then n = n / (o.worth or 1) end
		local is_number = type(n) == "number" and math.abs(n) < math.huge
		if is_number and bounded(n, o.min, o.max) then return o.convert and o.convert(n) or n end
		return mismatch(is_number and o.within or o.expected, value)
	end)
	made.unit = o.unit
	return made
end

local function show_seconds(n) return n == 0 and "0" or units.show(n, "s") end

---A time in seconds: 10, "10s", "250 ms".
---@param min? number seconds (0)
---@param max? number seconds
---@return gridcentric.Type
function types.seconds(min, max)
	min = min or 0
	return quantity {
		units = units.TIME, min = min, max = max, unit = "seconds",
		expected = A_TIME, within = range(A_TIME, min, max, show_seconds),
	}
end

local function show_bytes(n) return n == 0 and "0" or units.show(n, "B") end

---A size in whole bytes: 65536, "64K", "2 GB".
---@param min? integer bytes (0)
---@param max? integer bytes
---@return gridcentric.Type
function types.bytes(min, max)
	min = min or 0
	return quantity {
		units = units.SIZE, min = min, max = max, unit = "bytes", convert = math.ceil,
		expected = A_SIZE, within = range(A_SIZE, min, max, show_bytes),
	}
end

local MIB = 1024 ^ 2

---A size in MiB, which are whole: 256, "256M", "2 GB". What is no whole number is rounded down.
---@param min integer MiB
---@param max integer MiB
---@return gridcentric.Type
function types.mebibytes(min, max)
	local expected = ('a size such as "256M" or "2 GB", from %dM to %dG,'):format(min, max // 1024)
	return quantity {
		units = units.SIZE, worth = MIB, min = min, max = max, manual = "MiB, or a size", unit = "MiB",
		convert = math.floor,
		expected = expected, within = expected,
	}
end

---A share: 0.5, "50%".
---@param min? number (0)
---@param max? number (1)
---@return gridcentric.Type
function types.share(min, max)
	min, max = min or 0, max or 1
	return quantity {
		units = units.SHARE, min = min, max = max, unit = "share",
		manual = ("%s to %s"):format(min, max),
		expected = A_SHARE, within = range(A_SHARE, min, max),
	}
end

-- Words ------------------------------------------------------------------------------------------

-- "a file name" -> "file name"
local function without_articles(text)
	return (text:gsub("%f[%w]an? ", ""))
end

---Text; of the given pattern, if there is one.
---@param pattern? string
---@param expected? string what the pattern is, in words: "a file name"
---@param manual? string the same, shorter
---@return gridcentric.Type
function types.text(pattern, expected, manual)
	return new(manual or without_articles(expected or "text"), "string", function(value)
		if type(value) == "string" and value:find(pattern or "") then return value end
		return mismatch(expected or "text", value)
	end)
end

types.boolean = new("true or false", "boolean", function(value)
	if type(value) == "boolean" then return value end
	return mismatch("true or false", value)
end)

-- "a, b or c"
local function either(words)
	local rest = table.concat(words, ", ", 1, #words - 1)
	return rest == "" and words[1] or ("%s or %s"):format(rest, words[#words])
end

---One of some values.
---@param ... string|boolean
---@return gridcentric.Type
function types.one_of(...)
	local values, shown = {}, {}
	for i, value in ipairs { ... } do
		values[value], shown[i] = true, show(value)
	end
	local expected = either(shown)
	return new(expected, table.concat(shown, "|"), function(value)
		if value ~= nil and values[value] then return value end
		return mismatch(expected, value)
	end)
end

-- Others -----------------------------------------------------------------------------------------

---A function.
---@param annotation? string of LuaCATS ("function")
---@param expected? string in words
---@return gridcentric.Type
function types.func(annotation, expected)
	return new("function", annotation or "function", function(value)
		if type(value) == "function" then return value end
		return mismatch(expected or "a function", value)
	end)
end

---A value of any of some types, of which the first that takes it counts.
---@param expected? string in words (made of those of the types)
---@param ... gridcentric.Type
---@return gridcentric.Type
function types.any_of(expected, ...)
	local all, manual, annotation = { ... }, {}, {}
	for i, one in ipairs(all) do manual[i], annotation[i] = one.manual, one.annotation end
	expected = expected or either(manual)
	return new(without_articles(expected), table.concat(annotation, "|"), function(value)
		for _, one in ipairs(all) do
			local checked = one(value)
			if checked ~= nil then return checked end
		end
		return mismatch(expected, value)
	end)
end

return types
