-- The tables of man/gcscale-policy.5 that are made from the descriptions of keys. In the page they
-- stand between lines such as
--
--	.\" generated: keys of Listening
--	.\" end of generated
--
-- Pure.

local mdoc = require "mdoc"
local metrics = require "gridcentric.config.schema_metrics"
local policies = require "gridcentric.policy.schema"
local registry = require "gridcentric.metrics.registry"
local routes = require "gridcentric.route.schema"
local schema = require "gridcentric.config.schema"

local function default_of(key)
	if key.required then return "required" end
	if key.unset then return key.unset end
	return type(key.default) == "table" and "{}" or tostring(key.default)
end

local function append(lines, more)
	table.move(more, 1, #more, #lines + 1, lines)
end

-- ".It Ic held.max No = whole number from 0 (1000)", and its text.
local function add_item(lines, name, key)
	lines[#lines + 1] = (".It Ic %s No = %s (%s)"):format(name, mdoc.words(key[2].manual),
		mdoc.words(default_of(key)))
	append(lines, mdoc.lines(key.text))
	if key.more then append(lines, mdoc.lines(key.more)) end
	if key.see then append(lines, { "See", (".Sx %s ."):format(key.see) }) end
end

local function add_keys(lines, keys, prefix)
	for _, key in ipairs(keys) do
		local name, inner = prefix .. key[1], key[2].schema
		if inner then add_keys(lines, inner, name .. ".") else add_item(lines, name, key) end
	end
end

-- A list of keys; those of tables in it under their full names.
local function list(keys)
	local lines = { ".Bl -tag -width Ds" }
	add_keys(lines, keys, "")
	lines[#lines + 1] = ".El"
	return lines
end

local function names(keys)
	local found = {}
	for i, key in ipairs(keys) do found[i] = key[1] end
	return table.concat(found, " , ")
end

-- Each section with the keys that it explains.
local function index()
	local lines = { ".Bl -tag -width Ds -compact" }
	for _, section in ipairs(schema.SECTIONS) do
		lines[#lines + 1] = ".It Sx " .. section.title
		lines[#lines + 1] = ".Ic " .. names(section.keys)
	end
	lines[#lines + 1] = ".El"
	return lines
end

-- The metrics that policies can name.
local function metric_names()
	local lines = {
		'.Bl -column "memory_per_clone" "average" "requests per second" "program"',
		".It Sy name Ta Sy kind Ta Sy measured in Ta Sy source",
	}
	local function add(name, entry)
		lines[#lines + 1] = (".It Li %s Ta %s Ta %s Ta %s"):format(name, entry.kind, entry.measured_in,
			entry.source)
	end
	for _, entry in ipairs(registry.LIST) do add(entry.name, entry) end
	add("my.NAME", { kind = "total", measured_in = "your own unit", source = "program" })
	lines[#lines + 1] = ".El"
	return lines
end

-- What a policy is given.
local function sample()
	local lines = { ".Bl -tag -width Ds" }
	for _, entries in ipairs { registry.LIST, registry.REST } do
		for _, entry in ipairs(entries) do
			lines[#lines + 1] = ".It Li " .. entry.name
			append(lines, mdoc.lines(entry.text))
			if entry.more then append(lines, mdoc.lines(entry.more)) end
			if entry.see then append(lines, { "See", (".Sx %s ."):format(entry.see) }) end
		end
	end
	lines[#lines + 1] = ".El"
	return lines
end

local function by_name()
	local made = {
		index = index, metrics = metric_names, sample = sample,
		metric = function() return list(metrics.METRIC) end,
	}
	for _, section in ipairs(schema.SECTIONS) do
		made["keys of " .. section.title] = function() return list(section.keys) end
	end
	for _, signatures in ipairs { policies, routes } do
		for name, signature in pairs(signatures) do
			made["options of " .. name] = function() return list(signature.keys) end
		end
	end
	return made
end

local PART = '(\n%.\\" generated: ([^\n]+)\n).-(%.\\" end of generated\n)'

---The page with its tables as they should be.
---@param page string
---@return string
return function(page)
	local made, seen = by_name(), {}
	page = page:gsub(PART, function(head, name, tail)
		local make = made[name] or error("gcscale-policy.5 has an unknown part: " .. name, 0)
		seen[name] = true
		return head .. table.concat(make(), "\n") .. "\n" .. tail
	end)
	for name, make in pairs(made) do
		local is_empty = #make() == 2 -- a list without items
		if not seen[name] and not is_empty then error("gcscale-policy.5 lacks a part: " .. name, 0) end
	end
	return page
end
