-- The tables of man/gcscale-policy.5 that are made from the descriptions of keys. In the page they
-- stand between lines such as
--
--	.\" generated: keys of Listening
--	.\" end of generated
--
-- Pure.

local key_list = require "key_list"
local mdoc = require "mdoc"
local metrics = require "gridcentric.config.schema_metrics"
local policies = require "gridcentric.policy.schema"
local registry = require "gridcentric.metrics.registry"
local routes = require "gridcentric.route.schema"
local schema = require "gridcentric.config.schema"

-- Each section with the keys that it explains.
local function index()
	local lines = { ".Bl -tag -width Ds -compact" }
	for _, section in ipairs(schema.SECTIONS) do
		lines[#lines + 1] = ".It Sx " .. section.title
		key_list.append(lines, key_list.names(section.keys))
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
			key_list.append(lines, mdoc.lines(entry.text))
			if entry.more then key_list.append(lines, mdoc.lines(entry.more)) end
			if entry.see then key_list.append(lines, { "See", (".Sx %s ."):format(entry.see) }) end
		end
	end
	lines[#lines + 1] = ".El"
	return lines
end

local function by_name()
	local made = {
		index = index, metrics = metric_names, sample = sample,
		metric = function() return key_list.lines(metrics.METRIC) end,
	}
	for _, section in ipairs(schema.SECTIONS) do
		made["keys of " .. section.title] = function() return key_list.lines(section.keys) end
	end
	for _, signatures in ipairs { policies, routes } do
		for name, signature in pairs(signatures) do
			made["options of " .. name] = function() return key_list.lines(signature.keys) end
		end
	end
	return made
end

---The page with its tables as they should be.
---@param page string
---@return string
return function(page)
	return key_list.fill(page, "gcscale-policy.5", by_name())
end
