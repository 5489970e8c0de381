-- Tables of options: each key is described once, as data.
--
--	local SCHEMA = options.schema {
--		{ "name", types.text(), required = true, text = "The service's name." },
--		{ "clones", options.record(options.schema {
--			{ "min", types.integer(0), default = 0, text = "Clones kept without any load." },
--			{ "max", types.integer(0), default = 16, text = "The most clones at a time." },
--		}), default = {}, text = "How many clones there may be." },
--	}
--	local values, err = options.check(SCHEMA, given)
--
-- From the same description come the checks, the suggestions for misspelled keys, what editors
-- know (meta/policy.lua) and the tables of gcscale-policy(5): see .ci/generate.lua.
--
-- What a user gives may be anything: check() reads it once, guarded, and never raises.

local guard = require "gridcentric.util.guard"
local suggest = require "gridcentric.util.suggest"
local types = require "gridcentric.util.types"

local options = {}

---One key.
---@class gridcentric.Key
---@field [1] string the name
---@field [2] gridcentric.Type
---@field default? any checked like a given value
---@field required? boolean
---@field unset? string what holds without the key, in words, where there is no default to show
---@field text string a sentence for users; `words in quotes` are code
---@field more? string further sentences, for the manual alone
---@field see? string the section of gcscale-policy(5) that has the rest
---@field synonyms? string[] what others call it

---@class gridcentric.Schema
---@field [integer] gridcentric.Key in the order of the manual
---@field by_name table<string, gridcentric.Key>
---@field synonyms table<string, string> to the key's name

-- Describing -------------------------------------------------------------------------------------

---Makes a schema of the keys of some lists.
---@param ... gridcentric.Key[]
---@return gridcentric.Schema
function options.schema(...)
	local schema = { by_name = {}, synonyms = {} }
	for _, keys in ipairs { ... } do
		for _, key in ipairs(keys) do
			assert(not schema.by_name[key[1]], key[1])
			schema[#schema + 1] = key
			schema.by_name[key[1]] = key
			for _, synonym in ipairs(key.synonyms or {}) do schema.synonyms[synonym] = key[1] end
		end
	end
	return schema
end

-- Reading what was given -------------------------------------------------------------------------

local MOST_KEYS = 10000 -- of one table: more are no options, or a __pairs without an end

-- What a table inherits counts only where it is known.
local function copy(given, schema)
	local fields, n = {}, 0
	for key, value in pairs(given) do
		n = n + 1
		if n > MOST_KEYS then error(("more than %d keys"):format(MOST_KEYS), 0) end
		fields[key] = value
	end
	for _, key in ipairs(getmetatable(given) and schema or {}) do fields[key[1]] = given[key[1]] end
	return fields
end

---A plain copy of a table that a user gave, whatever its metatable does.
---@param given any
---@param schema? gridcentric.Schema
---@return table<any, any>? fields
---@return string? err
function options.fields(given, schema)
	if type(given) ~= "table" then return types.mismatch("a table", given) end
	local ok, result = xpcall(copy, guard.text, given, schema)
	if ok then return result end
	return nil, "the table cannot be read: " .. result
end

-- Text before all else, so that of several mistakes always the same one is reported.
local function comes_before(a, b)
	local kind, other = type(a), type(b)
	if kind ~= other then return kind == "string" or other ~= "string" and kind < other end
	return (kind == "string" or kind == "number") and a < b
end

local function sorted_keys(fields)
	local keys = {}
	for key in pairs(fields) do keys[#keys + 1] = key end
	table.sort(keys, comes_before)
	return keys
end

-- "my.key" or [1]
local function show_key(key)
	return type(key) == "string" and types.show(key) or ("[%s]"):format((types.show(key)))
end

local function unknown_key(schema, key)
	if #schema == 0 then return ("unknown key %s (there are none)"):format(show_key(key)) end
	local hint = type(key) == "string" and suggest.hint(schema.by_name, key, schema.synonyms) or ""
	return ("unknown key %s%s"):format(show_key(key), hint)
end

-- Checking ---------------------------------------------------------------------------------------

-- The checked value of a key, nil where there is none, or nil and what is wrong.
local function check_key(key, value)
	if value == nil then value = key.default end
	if value == nil then return nil, key.required and "missing" or nil end
	return key[2](value)
end

---Checks options, which it leaves as they are.
---@param schema gridcentric.Schema
---@param given any
---@return table? values those given, converted, and the defaults of the others
---@return string? err names the key
function options.check(schema, given)
	local fields, wrong = options.fields(given, schema)
	if not fields then return nil, wrong end
	for _, name in ipairs(sorted_keys(fields)) do
		if not schema.by_name[name] then return nil, unknown_key(schema, name) end
	end
	local values = {}
	for _, key in ipairs(schema) do
		local name = key[1]
		local value, err = check_key(key, fields[name])
		if err then return nil, ("%s: %s"):format(name, err) end
		values[name] = value
	end
	return values
end

---Like check(), but raises, for functions that are called with options: blames the caller's caller.
---@param schema gridcentric.Schema
---@param given any
---@param who string the function's name
---@return table values
function options.demand(schema, given, who)
	local values, err = options.check(schema, given)
	return values or error(("%s: %s"):format(who, err), 3)
end

-- Types of tables --------------------------------------------------------------------------------

---A table with a schema of its own.
---@param schema gridcentric.Schema
---@param class string of its annotation: "gridcentric.HeldKeys"
---@return gridcentric.Type
function options.record(schema, class)
	local made = types.new("table", class, function(value) return options.check(schema, value) end)
	made.schema = schema
	return made
end

-- Of a list, as fields.
local function find_odd_key(fields)
	for _, key in ipairs(sorted_keys(fields)) do
		if math.type(key) ~= "integer" or key < 1 or key > #fields then return key end
	end
end

---A list of values of one type.
---@param item gridcentric.Type
---@param manual? string "list of texts"
---@return gridcentric.Type
function options.list(item, manual)
	local function check(value)
		if type(value) ~= "table" then return types.mismatch("a list", value) end
		local fields, wrong = options.fields(value)
		if not fields then return nil, wrong end
		local odd, values = find_odd_key(fields), {}
		if odd ~= nil then return nil, ("a list expected, got the key %s"):format(types.show(odd)) end
		for i = 1, #fields do
			local checked, err = item(fields[i])
			if checked == nil then return nil, ("item %d: %s"):format(i, err) end
			values[i] = checked
		end
		return values
	end
	return types.new(manual or "list", ("(%s)[]"):format(item.annotation), check)
end

return options
