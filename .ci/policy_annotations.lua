-- lua/gridcentric/meta/policy.lua: what editors know of policy files, made from the descriptions of
-- keys and metrics, as annotations of LuaCATS. Pure.

local metrics = require "gridcentric.config.schema_metrics"
local registry = require "gridcentric.metrics.registry"
local policies = require "gridcentric.policy.schema"
local routes = require "gridcentric.route.schema"
local route = require "gridcentric.route"
local schema = require "gridcentric.config.schema"

local HEAD = [[
---@meta _
-- Made by `make generate` from the descriptions of keys and metrics; changes
-- here are lost. For editors: lua-language-server completes, explains and checks a policy file when
-- the folder that holds gridcentric/ is on its library path, see EDITORS in gcscale-policy(5). What
-- stands in parentheses is the default. Nothing runs this file.
]]

local POLICIES = { "ratio", "target", "step", "schedule", "budget", "rules" }
local COMBINATORS = { "max_of", "min_of", "first_of", "clamp", "during" }
local ROUTES = { "hash", "weighted" }

-- What stands for the default: "(60)", or nothing.
local function default_of(key)
	local value = key.unset
	if not value and key.default ~= nil then
		local is_text = type(key.default) == "string"
		value = type(key.default) == "table" and "{}"
			or is_text and ('"%s"'):format(key.default) or tostring(key.default)
		local unit = not is_text and key[2].unit
		if unit and unit ~= "share" then value = ("%s %s"):format(value, unit) end
	end
	return value and (" (%s)"):format(value) or ""
end

local function field(key)
	local mark = key.required and "" or "?"
	local text = key.text:gsub("%.$", "")
	return ("---@field %s%s %s %s%s"):format(key[1], mark, key[2].annotation, text, default_of(key))
end

-- Writes classes, each once, those of their keys behind them.
local function writer()
	local lines, seen = {}, {}
	local self = {}
	function self.add(...) lines[#lines + 1] = table.concat { ... } end
	function self.class(name, keys, text, item)
		if seen[name] then return end
		seen[name] = true
		self.add("")
		if text then self.add("---", text) end
		self.add("---@class ", name)
		for _, key in ipairs(keys) do self.add(field(key)) end
		if item then self.add("---@field [integer] ", item.annotation) end
		for _, key in ipairs(keys) do self.record(key[2]) end
		if item then self.record(item) end
	end
	function self.record(type)
		if type.schema then self.class(type.annotation, type.schema) end
	end
	function self.text() return table.concat(lines, "\n") .. "\n" end
	return self
end

local function heading(out, text)
	out.add("")
	out.add("-- ", text, " ", ("-"):rep(96 - #text))
end

-- "max_of" -> "MaxOf"
local function class_name(name)
	local parts = {}
	for part in name:gmatch "%a+" do parts[#parts + 1] = part:sub(1, 1):upper() .. part:sub(2) end
	return ("gridcentric.%sOptions"):format(table.concat(parts))
end

-- What a function takes: the class of its options, if it has any.
local function argument_of(out, signature)
	if signature.class then return signature.class end
	if #signature.keys == 0 then return ("%s[]"):format(signature.item.annotation) end
	local class = class_name(signature.name)
	out.class(class, signature.keys, nil, signature.item)
	return class
end

local function add_functions(out, signatures, names)
	for _, name in ipairs(names) do
		local signature = assert(signatures[name], name)
		local argument = argument_of(out, signature)
		out.add("")
		out.add("---", signature.text)
		out.add("---")
		for line in signature.example:gmatch "[^\n]+" do out.add("---    ", line) end
		out.add("---@param given ", argument)
		out.add("---@return ", signature.result)
		out.add("function ", name, "(given) end")
	end
end

local function metric_field(entry, name)
	local type = (entry.noun and not entry.noun:find "/s") and "integer" or "number"
	local is_always = entry.source == "proxy" or entry.source == "gcscale"
	return ("---@field %s%s %s %s (%s)"):format(name, is_always and "" or "?", type,
		entry.text:gsub("%.$", ""), entry.measured_in)
end

-- The fields of a sample; those of tables in it ("latency.p95") go to `groups`, by class.
local function sample_fields(groups)
	local fields = {}
	for _, entry in ipairs(registry.LIST) do
		local group, inner = entry.name:match "^(.-)%.(.*)$"
		local class = group and ("gridcentric.%s%s"):format(group:sub(1, 1):upper(), group:sub(2))
		if class and not groups[class] then
			groups[class] = {}
			fields[#fields + 1] = ("---@field %s %s"):format(group, class)
		end
		local list = class and groups[class] or fields
		list[#list + 1] = metric_field(entry, inner or entry.name)
	end
	for _, entry in ipairs(registry.REST) do
		fields[#fields + 1] = ("---@field %s %s %s"):format(entry.name, entry.type,
			entry.text:gsub("%.$", ""))
	end
	return fields
end

local function add_sample(out)
	local groups = {}
	local fields = sample_fields(groups)
	out.add("\n---The load, as a policy sees it.\n---@class gridcentric.Sample")
	out.add(table.concat(fields, "\n"))
	for class, lines in pairs(groups) do
		out.add("\n---@class ", class, "\n", table.concat(lines, "\n"))
	end
end

---The whole file.
---@return string
return function()
	local out = writer()
	heading(out, "The keys")
	out.class("gridcentric.PolicyFile", schema.FILE,
		"What a policy file returns. Above its `return`: `---@type gridcentric.PolicyFile`")
	out.class("gridcentric.MetricKeys", metrics.METRIC)
	out.class("gridcentric.AutoscaleOptions", schema.SETUP, "What autoscale.setup() takes.")
	out.add("")
	out.add('---@alias gridcentric.RouteName "', table.concat(route.NAMES, '"|"'), '"')
	heading(out, "The sample")
	add_sample(out)
	heading(out, "Ready policies")
	add_functions(out, policies, POLICIES)
	heading(out, "Combinators")
	add_functions(out, policies, COMBINATORS)
	heading(out, "Routes")
	add_functions(out, routes, ROUTES)
	return HEAD .. out.text()
end
