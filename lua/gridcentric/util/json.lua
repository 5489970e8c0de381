-- JSON that can always be written, and that is the same each time: keys are sorted, and what JSON
-- does not have, as a policy or a program may have put it into a table, becomes a text. Pure.
--
--	json.encode({ b = 1, a = print, c = "\255" })    {"a":"(function)","b":1,"c":"\ufffd"}
--
-- Reading, and writing of scalars, is dkjson's.

local dkjson = require "dkjson"
local printable = require "gridcentric.util.printable"

local json = { decode = dkjson.decode, null = dkjson.null }

local MAX_TEXT = 4096 -- bytes of a text
local MAX_KEY = 256
local MAX_DEPTH = 16 -- tables in tables
local MAX_ENTRIES = 100000 -- of a whole value; further ones are left out

---@class gridcentric.JsonWriter
---@field out string[]
---@field max_text integer
---@field entries integer that may still come
---@field path table<table, true> the tables around the value at hand
---@field depth integer
---@field quoted table<string, string> keys as they are written

local function quote(text, max)
	if #text <= max and not text:find '[^ !#-%[%]-~]' then return '"' .. text .. '"' end
	return dkjson.quotestring(printable.valid(printable.cut(text, max)))
end

local function quote_key(self, name)
	local quoted = self.quoted[name]
	if not quoted then
		quoted = quote(name, MAX_KEY) .. ":"
		self.quoted[name] = quoted
	end
	return quoted
end

local function key_text(key)
	if type(key) == "string" or type(key) == "number" or type(key) == "boolean" then
		return tostring(key)
	end
	return ("(%s)"):format(type(key))
end

-- Keys 1 to n, or none and marked as an array. An empty table is an array unless it says otherwise.
local function is_array(t)
	local meta = getmetatable(t)
	local marked = type(meta) == "table" and rawget(meta, "__jsontype")
	if next(t) == nil then return marked ~= "object" end
	local n = 0
	for key in next, t do
		n = n + 1
		if math.type(key) ~= "integer" or key < 1 then return false end
	end
	return n == rawlen(t)
end

local write

local function write_array(self, t)
	local out = self.out
	out[#out + 1] = "["
	for i = 1, rawlen(t) do
		self.entries = self.entries - 1
		if self.entries < 0 then break end
		if i > 1 then out[#out + 1] = "," end
		write(self, rawget(t, i))
	end
	out[#out + 1] = "]"
end

-- Unlike in an array, a value that is no number is left out: what is unknown is missing.
local function is_known(value)
	return math.type(value) ~= "float" or value == value and math.abs(value) < math.huge
end

local function write_object(self, t)
	local out, names, values = self.out, {}, {}
	for key, value in next, t do
		local name = key_text(key)
		if values[name] == nil and is_known(value) then names[#names + 1] = name end
		values[name] = value
	end
	table.sort(names)
	out[#out + 1] = "{"
	for i, name in ipairs(names) do
		self.entries = self.entries - 1
		if self.entries < 0 then break end
		if i > 1 then out[#out + 1] = "," end
		out[#out + 1] = quote_key(self, name)
		write(self, values[name])
	end
	out[#out + 1] = "}"
end

local function write_table(self, t)
	if self.path[t] or self.depth >= MAX_DEPTH then
		self.out[#self.out + 1] = '"..."'
		return
	end
	self.path[t], self.depth = true, self.depth + 1
	local write_entries = is_array(t) and write_array or write_object
	write_entries(self, t)
	self.path[t], self.depth = nil, self.depth - 1
end

local function scalar(self, value)
	local kind = type(value)
	if kind == "string" then return quote(value, self.max_text) end
	if kind == "nil" or not is_known(value) then return "null" end
	if math.type(value) == "integer" or kind == "boolean" then return tostring(value) end
	return kind == "number" and dkjson.encode(value) or ('"(%s)"'):format(kind)
end

function write(self, value)
	if type(value) ~= "table" then
		self.out[#self.out + 1] = scalar(self, value)
	elseif rawequal(value, json.null) then
		self.out[#self.out + 1] = "null"
	else
		write_table(self, value)
	end
end

---Never raises.
---@param value any
---@param max_text? integer bytes that are kept of each text
---@return string
function json.encode(value, max_text)
	local self = {
		out = {}, max_text = max_text or MAX_TEXT, entries = MAX_ENTRIES, path = {}, depth = 0,
		quoted = {},
	}
	write(self, value)
	return table.concat(self.out)
end

---An array, also while it is empty.
---@param list table
---@return table list
function json.array(list)
	return setmetatable(list, { __jsontype = "array" })
end

return json
