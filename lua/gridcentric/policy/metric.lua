-- The metrics that policies can name, and how they are read from a sample.
--
--	local cpu = metric.reader "cpu"
--	local busy = cpu(sample)
--	if not busy then return metric.missing "cpu" end
--
-- A name is a path into the sample: "sessions", "latency.p95". Those of the program's own are
-- "my.NAME", for what it told by gc.metric("NAME", value). The time of day, seconds since 1970, is
-- in a sample, too (`time`), for calendar.lua. Each is described in metrics/registry.lua.

local registry = require "gridcentric.metrics.registry"
local suggest = require "gridcentric.util.suggest"
local types = require "gridcentric.util.types"
local units = require "gridcentric.util.units"

local metric = {}

-- What other tools call them.
local SYNONYMS = {
	users = "sessions", rps = "requests", qps = "requests", concurrency = "connections",
	latency = "latency.p95", p50 = "latency.p50", p95 = "latency.p95", p99 = "latency.p99",
	load = "cpu", ram = "memory", mem = "memory", replicas = "clones", instances = "clones",
}

local OWN = { kind = "total", measured_in = "your own unit", source = "program" }

---@param name string
---@return gridcentric.Metric?
function metric.find(name)
	return registry.BY_NAME[name] or name:find "^my%.[%a_][%w_]*$" and OWN or nil
end

---What is wrong with a name that find() does not find.
---@param name string
---@return string
function metric.unknown(name)
	local nearest = suggest.nearest(registry.BY_NAME, name, SYNONYMS)
	return ("unknown metric %s (%sThe program's own are my.NAME)"):format(types.show(name),
		nearest and ('did you mean "%s"? '):format(nearest) or "")
end

---The check of a type: the name of a metric.
---@return string?
---@return string? err
function metric.name(value)
	if type(value) ~= "string" then
		return types.mismatch("the name of a metric", value)
	end
	if not metric.find(value) then return nil, metric.unknown(value) end
	return value
end

---The check of a type: the name of a metric that grows with the load.
---@return string?
---@return string? err
function metric.load(value)
	local name, err = metric.name(value)
	if name and metric.find(name).kind == "fact" then
		return nil, ('a metric of the load expected, got "%s"'):format(name)
	end
	return name, err
end

local EXAMPLES = { s = "200ms", B = "512MB", ["%"] = "80%" }

-- A share of more than one without % is taken for a mistake.
local function fits(known, value, unit)
	if value == 0 or unit == known.unit then return true end
	return known.unit == "%" and not unit and value <= 1
end

---What is wrong with a number that is compared with a metric; nil if nothing is.
---@param name string of a known metric
---@param value number
---@param unit? "s"|"B"|"%" the kind of the number's unit
---@return string? err
function metric.unit_error(name, value, unit)
	local known = metric.find(name)
	if known == OWN or fits(known, value, unit) then return nil end
	local expected = known.unit and "a number with a unit expected, such as " .. EXAMPLES[known.unit]
		or "a number without a unit expected"
	return ("%s is measured in %s: %s"):format(name, known.measured_in, expected)
end

---Reads what a user says of a metric: a number, or text with a unit. Without one, a time is in
---seconds and a size in bytes.
---@param name string of a known metric
---@param value number|string
---@return number?
---@return string? err
function metric.quantity(name, value)
	local n, unit = value, nil
	if type(value) == "string" then n, unit = units.read(value) end
	if not n then return types.mismatch("a number, or text with a unit,", value) end
	local known = metric.find(name)
	local is_bare = not unit and (known.unit == "s" or known.unit == "B")
	local err = not is_bare and metric.unit_error(name, n, units.kind(unit))
	if err then return nil, ("%s, got %s"):format(err, types.show(value)) end
	return n
end

metric.reader = registry.reader

---What a policy returns that lacks a metric: no number, why, and a code by which this is told
---from having no opinion. What then holds is the caller's choice (on_missing).
---@param name string
---@return nil
---@return string reason
---@return "MISSING" code
function metric.missing(name)
	return nil, ("metric %s is missing"):format(name), "MISSING"
end

---"12 sessions", "cpu 85%", "my.queue_depth 3".
---@param name string
---@param value number
---@return string
function metric.show(name, value)
	local m = metric.find(name)
	if not m.noun then return ("%s %s"):format(name, units.show(value, m.unit)) end
	local one, many = m.noun:match "^(.*)|(.*)$"
	return ("%s %s"):format(units.show(value), value == 1 and one or many)
end

return metric
