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

local options = require "gridcentric.util.options"
local units = require "gridcentric.util.units"

local metric = {}

---@class gridcentric.Metric
---@field kind "total"|"average"|"fact" of all clones together; of one clone; no load
---@field unit? "s"|"B"|"%" seconds, bytes, a share of 1; none: a plain number
---@field noun? string what is counted, one and many divided by "|"

---@type table<string, gridcentric.Metric>
metric.KNOWN = {
	sessions = { kind = "total", noun = "session|sessions" },
	connections = { kind = "total", noun = "connection|connections" },
	held = { kind = "total", noun = "held connection|held connections" },
	requests = { kind = "total", noun = "request/s|requests/s" },
	errors = { kind = "total", noun = "error/s|errors/s" },
	memory = { kind = "total", unit = "B" }, -- private to the clones
	memory_per_clone = { kind = "average", unit = "B" },
	cpu = { kind = "average", unit = "%" }, -- busy share of one core
	["latency.p50"] = { kind = "average", unit = "s" },
	["latency.p95"] = { kind = "average", unit = "s" },
	["latency.p99"] = { kind = "average", unit = "s" },
	heap = { kind = "fact", unit = "B" }, -- Lua's, in the program
	clones = { kind = "fact", noun = "clone|clones" },
	coming = { kind = "fact", noun = "coming clone|coming clones" },
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
	return ('unknown metric "%s" (did you mean "%s"? The program\'s own are my.NAME)'):format(shown,
		options.nearest(metric.KNOWN, shown))
end

---A type for options: the name of a metric.
---@return string?
---@return string? err
function metric.name(value)
	if type(value) ~= "string" then
		return nil, ("the name of a metric expected, got %s"):format(tostring(value))
	end
	if not metric.find(value) then return nil, metric.unknown(value) end
	return value
end

---A type for options: the name of a metric that grows with the load.
---@return string?
---@return string? err
function metric.load(value)
	local name, err = metric.name(value)
	if name and metric.find(name).kind == "fact" then
		return nil, ('a metric of the load expected, got "%s"'):format(name)
	end
	return name, err
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
