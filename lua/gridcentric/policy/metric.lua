-- The metrics that policies can name, and how they are read from a sample.
--
--	local cpu = metric.reader "cpu"
--	local busy = cpu(sample)
--	if not busy then return metric.missing "cpu" end
--
-- A name is a path into the sample: "sessions", "latency.p95". Those of the program's own are
-- "my.NAME", for what it told by gc.metric("NAME", value). The time of day, seconds since 1970, is
-- in a sample, too (`time`), for calendar.lua.
--
-- How to add a metric: name it here, and see metrics/init.lua for where it comes from.

local suggest = require "gridcentric.util.suggest"
local types = require "gridcentric.util.types"
local units = require "gridcentric.util.units"

local metric = {}

---@class gridcentric.Metric
---@field kind "total"|"average"|"fact" of all clones together; of one clone; no load
---@field unit? "s"|"B"|"%" seconds, bytes, a share of 1; none: a plain number
---@field noun? string what is counted, one and many divided by "|"
---@field measured_in string the unit in words

---@type table<string, gridcentric.Metric>
metric.KNOWN = {
	sessions = { kind = "total", noun = "session|sessions", measured_in = "users" },
	connections = { kind = "total", noun = "connection|connections", measured_in = "connections" },
	held = { kind = "total", noun = "held connection|held connections", measured_in = "connections" },
	requests = { kind = "total", noun = "request/s|requests/s", measured_in = "requests per second" },
	errors = { kind = "total", noun = "error/s|errors/s", measured_in = "errors per second" },
	memory = { kind = "total", unit = "B", measured_in = "bytes" }, -- private to the clones
	memory_per_clone = { kind = "average", unit = "B", measured_in = "bytes" },
	cpu = { kind = "average", unit = "%", measured_in = "% of one core" }, -- busy share of one core
	["latency.p50"] = { kind = "average", unit = "s", measured_in = "seconds" },
	["latency.p95"] = { kind = "average", unit = "s", measured_in = "seconds" },
	["latency.p99"] = { kind = "average", unit = "s", measured_in = "seconds" },
	heap = { kind = "fact", unit = "B", measured_in = "bytes" }, -- Lua's, in the program
	clones = { kind = "fact", noun = "clone|clones", measured_in = "clones" },
	coming = { kind = "fact", noun = "coming clone|coming clones", measured_in = "clones" },
}

-- What other tools call them.
local SYNONYMS = {
	users = "sessions", rps = "requests", qps = "requests", concurrency = "connections",
	latency = "latency.p95", p50 = "latency.p50", p95 = "latency.p95", p99 = "latency.p99",
	load = "cpu", ram = "memory", mem = "memory", replicas = "clones", instances = "clones",
}

local OWN = { kind = "total" }

-- A name that is far too long says nothing in an error, and takes long to compare.
local LONGEST = 60

---@param name string
---@return gridcentric.Metric?
function metric.find(name)
	return metric.KNOWN[name] or name:find "^my%.[%a_][%w_]*$" and OWN or nil
end

---What is wrong with a name that find() does not find.
---@param name string
---@return string
function metric.unknown(name)
	local shown = #name <= LONGEST and name or name:sub(1, LONGEST - 3) .. "..."
	local nearest = suggest.nearest(metric.KNOWN, name, SYNONYMS)
	return ("unknown metric \"%s\" (%sThe program's own are my.NAME)"):format(shown,
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

---@param name string of a known metric
---@return fun(sample: gridcentric.Sample): number?
function metric.reader(name)
	local outer, inner = name:match "^(.-)%.(.*)$"
	if not outer then
		return function(sample) return sample[name] end
	end
	return function(sample)
		local group = sample[outer]
		return group and group[inner]
	end
end

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
