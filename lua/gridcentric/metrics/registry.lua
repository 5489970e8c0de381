-- The metrics of a service, each described once. From here come the fields of a sample, what
-- policies and rules may name, the columns of traces, gauges at /metrics, how values are shown to
-- users, and the tables of gcscale-policy(5). Pure.
--
-- How to add a metric: an entry here; measure it in init.lua, or count it for `counts` in
-- controller/parts.lua; then `make generate`.

local registry = {}

---@class gridcentric.Metric
---@field name string its path in a sample: "latency.p95" is sample.latency.p95
---@field kind "total"|"average"|"fact" of all clones together; of one clone; no load
---@field unit? "s"|"B"|"%" seconds, bytes, a share of 1; none: a plain number
---@field noun? string what is counted, one and many divided by "|"
---@field measured_in string the unit in words
---@field source "proxy"|"gcscale"|"kernel"|"program" where it comes from
---@field idle? number what it is without any load and any clone; nil: unknown
---@field is_counted? boolean whether it is read anew for each sample; else measured each second
---@field is_replayed? boolean whether replay takes it from a trace
---@field gauge? string the name at /metrics, behind "gridcentric_"
---@field text string for users
---@field more? string further sentences, for the manual alone

local LATENCY = {
	kind = "average", unit = "s", measured_in = "seconds", source = "proxy", idle = 0,
	is_replayed = true,
}

local function latency(share, words, more)
	local entry = { name = "latency.p" .. share, more = more }
	for key, value in pairs(LATENCY) do entry[key] = value end
	entry.text = ("Time until a clone began to answer, not exceeded by %s of the requests of the last "
		.. "30 seconds."):format(words)
	return entry
end

---In the order of traces and of the manual.
---@type gridcentric.Metric[]
registry.LIST = {
	{ name = "sessions", kind = "total", noun = "session|sessions", measured_in = "users",
		source = "proxy", idle = 0, is_counted = true, is_replayed = true, gauge = "sessions",
		text = "Users with an open connection, or whose timeout has not run out." },
	{ name = "connections", kind = "total", noun = "connection|connections",
		measured_in = "connections", source = "proxy", idle = 0, is_counted = true, is_replayed = true,
		gauge = "connections",
		text = "Open connections of clients; in http mode from their first request on." },
	{ name = "held", kind = "total", noun = "held connection|held connections",
		measured_in = "connections", source = "proxy", idle = 0, is_counted = true,
		gauge = "held_connections", text = "Connections that wait for a clone." },
	{ name = "clones", kind = "fact", noun = "clone|clones", measured_in = "clones",
		source = "gcscale", idle = 0, is_counted = true, is_replayed = true,
		text = "Clones that serve." },
	{ name = "coming", kind = "fact", noun = "coming clone|coming clones", measured_in = "clones",
		source = "gcscale", idle = 0, is_counted = true,
		text = "Clones that are planned or being made." },
	{ name = "denied", kind = "fact", noun = "denied clone|denied clones", measured_in = "clones",
		source = "gcscale", idle = 0, is_counted = true,
		text = "Clones that could not be made the last time that some were to be made.",
		more = "Resources were lacking, or the clones failed." },
	{ name = "requests", kind = "total", noun = "request/s|requests/s",
		measured_in = "requests per second", source = "proxy", idle = 0, is_replayed = true,
		text = "Requests per second over the last 10 seconds; 0 in tcp mode." },
	{ name = "errors", kind = "total", noun = "error/s|errors/s", measured_in = "errors per second",
		source = "proxy", idle = 0, is_replayed = true,
		text = "Answers with status 500 or above per second over the last 10 seconds.",
		more = "The proxy's own answers count." },
	latency(50, "half"),
	latency(95, "95%"),
	latency(99, "99%", "The time in which a request was held does not count. Without requests, and in "
		.. "tcp mode, all three are 0."),
	{ name = "cpu", kind = "average", unit = "%", measured_in = "% of one core", source = "kernel",
		idle = 0, is_replayed = true,
		text = "Busy share of one core, averaged over the clones that serve.",
		more = "It is 0.5 if each uses half a core. A clone that has just become ready counts as idle "
			.. "until it is measured." },
	{ name = "memory", kind = "total", unit = "B", measured_in = "bytes", source = "kernel",
		idle = 0, is_replayed = true,
		text = "Memory that is shared with no other process, of all clones together.",
		more = "What a clone shares with the program takes no memory until one of them writes to it." },
	{ name = "memory_per_clone", kind = "average", unit = "B", measured_in = "bytes",
		source = "kernel", is_replayed = true, text = "The average of that over the clones." },
	{ name = "heap", kind = "fact", unit = "B", measured_in = "bytes", source = "program",
		is_replayed = true, gauge = "program_heap_bytes", text = "Size of the program's Lua heap.",
		more = "A clone may come to hold that much alone, since a full garbage collection writes to "
			.. "all of it." },
}

---The rest of a sample: what is no single number. The type is one of LuaCATS.
---@type { name: string, type: string, text: string, see: string? }[]
registry.REST = {
	{ name = "time", type = "number", text = "The time of day in seconds since 1970." },
	{ name = "my", type = "table<string, number>",
		text = "Metrics of your own, by name.", see = "METRICS OF YOUR OWN" },
	{ name = "measured_over", type = "table<string, number>",
		text = "How many clones an average was measured over: `latency`, `memory_per_clone` and "
			.. '`"my.NAME"`. An average times this number is the load; times `clones`, which may have '
			.. "grown since, it is not." },
}

---@type table<string, gridcentric.Metric>
registry.BY_NAME = {}
for _, entry in ipairs(registry.LIST) do registry.BY_NAME[entry.name] = entry end

local function select_by(is_counted)
	local found = {}
	for _, entry in ipairs(registry.LIST) do
		if (entry.is_counted or false) == is_counted then found[#found + 1] = entry end
	end
	return found
end

---Those that are read anew for each sample.
---@return gridcentric.Metric[]
function registry.counted() return select_by(true) end

---Those that are measured about once a second.
---@return gridcentric.Metric[]
function registry.measured() return select_by(false) end

-- The parts of a name, "latency" and "p95"; each name is split once.
local paths = setmetatable({}, { __index = function(cache, name)
	local outer, inner = name:match "^(.-)%.(.*)$"
	local path = { outer = outer, inner = inner or name }
	cache[name] = path
	return path
end })

---@param name string "cpu", "latency.p95", "my.jobs"
---@return fun(sample: table): number?
function registry.reader(name)
	local outer, inner = paths[name].outer, paths[name].inner
	if not outer then
		return function(sample) return sample[inner] end
	end
	return function(sample)
		local group = sample[outer]
		return group and group[inner]
	end
end

---@param sample table
---@param name string
---@param value number?
function registry.set(sample, name, value)
	local path = paths[name]
	if not path.outer then
		sample[path.inner] = value
		return
	end
	local group = sample[path.outer]
	if not group then
		group = {}
		sample[path.outer] = group
	end
	group[path.inner] = value
end

---A sample of a service without any load and any clone.
---@return table
function registry.idle()
	local sample = { my = {}, measured_over = {} }
	for _, entry in ipairs(registry.LIST) do registry.set(sample, entry.name, entry.idle) end
	return sample
end

return registry
