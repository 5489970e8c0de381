-- Checks a table of options against a schema.
--
--	local SCHEMA = {
--		name = { options.text(), required = true },
--		clones = { options.record { -- how many there may be
--			min = { options.integer(0), default = 0 },
--			max = { options.integer(0), default = 16 },
--		}, default = {} },
--	}
--	local values, err = options.check(SCHEMA, given)
--
-- A schema maps each key to its type, and a default unless there is none; `required` keys have to
-- be given. A type is a function(value) that returns the value to use, or nil and what is wrong
-- with it; host_port.read is one. Everything here is pure.

local options = {}

---@alias gridcentric.Type fun(value: any): any, string?
---@alias gridcentric.Schema table<string, gridcentric.Key>

---@class gridcentric.Key
---@field [1] gridcentric.Type
---@field default? any checked like a given value
---@field required? boolean

local function show(value)
	if type(value) == "string" then
		return #value <= 40 and ('"%s"'):format(value) or ('"%s..."'):format(value:sub(1, 37))
	end
	if type(value) == "number" or type(value) == "boolean" then return tostring(value) end
	return value == nil and "nothing" or "a " .. type(value)
end

---What a type returns for a value that is not of it.
---@param expected string in words
---@param value any
---@return nil
---@return string err
function options.mismatch(expected, value)
	return nil, ("%s expected, got %s"):format(expected, show(value))
end

local mismatch = options.mismatch

---Counts the characters to insert, delete, replace or swap with the next to turn one text into the
---other.
---@param a string
---@param b string
---@return integer
function options.distance(a, b)
	local rows = { [0] = {} } -- rows[i][j]: distance of the first i characters of a to j of b
	for j = 0, #b do rows[0][j] = j end
	for i = 1, #a do
		local row, above = { [0] = i }, rows[i - 1]
		rows[i] = row
		for j = 1, #b do
			local differ = a:byte(i) ~= b:byte(j)
			row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (differ and 1 or 0))
			local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
			if swapped then row[j] = math.min(row[j], rows[i - 2][j - 2] + 1) end
		end
	end
	return rows[#a][#b]
end

---Returns the key of a table that is spelled most like the given one; nil if the table is empty.
---@param known table<string, any>
---@param key string
---@return string?
function options.nearest(known, key)
	local nearest, least
	for candidate in pairs(known) do
		local distance = options.distance(key, candidate)
		if not nearest or distance < least or distance == least and candidate < nearest then
			nearest, least = candidate, distance
		end
	end
	return nearest
end

local function unknown_key(schema, key)
	if type(key) ~= "string" then return ("unknown key [%s]"):format(tostring(key)) end
	local nearest = options.nearest(schema, key)
	if not nearest then return ('unknown key "%s" (there are none)'):format(key) end
	return ('unknown key "%s" (did you mean "%s"?)'):format(key, nearest)
end

-- The keys in order, so that of several mistakes always the same one is told.
local function sorted_keys(t)
	local keys = {}
	for key in pairs(t) do keys[#keys + 1] = key end
	table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
	return keys
end

---Checks options, which it leaves as they are.
---@param schema gridcentric.Schema
---@param given table
---@return table? values those given, converted, and the defaults of the others
---@return string? err names the key
function options.check(schema, given)
	if type(given) ~= "table" then return mismatch("a table", given) end
	for _, key in ipairs(sorted_keys(given)) do
		if not schema[key] then return nil, unknown_key(schema, key) end
	end
	local values = {}
	for _, key in ipairs(sorted_keys(schema)) do
		local entry, value = schema[key], given[key]
		if value == nil then value = entry.default end
		if value == nil and entry.required then return nil, ("%s: missing"):format(key) end
		if value ~= nil then
			local checked, err = entry[1](value)
			if checked == nil then return nil, ("%s: %s"):format(key, err) end
			values[key] = checked
		end
	end
	return values
end

---Like check(), but raises, for functions that are called with options: blames the caller's caller.
---@param schema gridcentric.Schema
---@param given table
---@param who string the function's name
---@return table values
function options.demand(schema, given, who)
	local values, err = options.check(schema, given)
	return values or error(("%s: %s"):format(who, err), 3)
end

-- The types --------------------------------------------------------------------------------------

local function range(what, min, max)
	if min and max then return ("%s from %s to %s"):format(what, min, max) end
	return min and ("%s from %s"):format(what, min) or what
end

local function bounded(value, min, max)
	return value >= (min or -math.huge) and value <= (max or math.huge)
end

---A finite number.
---@param min? number
---@param max? number
---@return gridcentric.Type
function options.number(min, max)
	return function(value)
		if type(value) == "number" and math.abs(value) < math.huge and bounded(value, min, max) then
			return value
		end
		return mismatch(range("a number", min, max), value)
	end
end

---A whole number; 2.0 is one.
---@param min? integer
---@param max? integer
---@return gridcentric.Type
function options.integer(min, max)
	return function(value)
		local whole = type(value) == "number" and math.tointeger(value)
		if whole and bounded(whole, min, max) then return whole end
		return mismatch(range("a whole number", min, max), value)
	end
end

---Text; of the given pattern, if there is one, which `expected` puts in words.
---@param pattern? string
---@param expected? string
---@return gridcentric.Type
function options.text(pattern, expected)
	return function(value)
		if type(value) == "string" and value:find(pattern or "") then return value end
		return mismatch(expected or "text", value)
	end
end

function options.boolean(value)
	if type(value) == "boolean" then return value end
	return mismatch("true or false", value)
end

---@param expected? string in words
---@return gridcentric.Type
function options.func(expected)
	return function(value)
		if type(value) == "function" then return value end
		return mismatch(expected or "a function", value)
	end
end

---One of some values.
---@param ... string|boolean
---@return gridcentric.Type
function options.one_of(...)
	local values, shown = {}, {}
	for i, value in ipairs { ... } do
		values[value], shown[i] = true, show(value)
	end
	local last = table.remove(shown)
	local expected = #shown > 0 and ("%s or %s"):format(table.concat(shown, ", "), last) or last
	return function(value)
		if value ~= nil and values[value] then return value end
		return mismatch(expected, value)
	end
end

---A value of any of some types.
---@param expected string in words
---@param ... gridcentric.Type
---@return gridcentric.Type
function options.any_of(expected, ...)
	local types = { ... }
	return function(value)
		for _, check in ipairs(types) do
			local checked = check(value)
			if checked ~= nil then return checked end
		end
		return mismatch(expected, value)
	end
end

---A list of values of one type.
---@param item gridcentric.Type
---@return gridcentric.Type
function options.list(item)
	return function(value)
		if type(value) ~= "table" then return mismatch("a list", value) end
		local values = {}
		for key in pairs(value) do
			if not math.tointeger(key) or key < 1 or key > #value then
				return nil, ("a list expected, got the key %s"):format(show(key))
			end
		end
		for i = 1, #value do
			local checked, err = item(value[i])
			if checked == nil then return nil, ("item %d: %s"):format(i, err) end
			values[i] = checked
		end
		return values
	end
end

---A table with a schema of its own.
---@param schema gridcentric.Schema
---@return gridcentric.Type
function options.record(schema)
	return function(value) return options.check(schema, value) end
end

return options
