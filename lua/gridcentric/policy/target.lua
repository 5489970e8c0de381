-- target { metric = "cpu", value = "60%" }: as many clones as keep a metric at a value.
--
-- Two kinds of metrics, see metric.lua. A total (sessions, requests, ...) is divided among the
-- clones: desired = total / value. An average over the clones (cpu, memory_per_clone, latency.p95,
-- ...) is taken to fall as clones are added: desired = clones * average / value.
--
-- What is within the tolerance changes nothing. The clones that are coming count as if they were
-- there: they were made for the load that is measured now.

local metric = require "gridcentric.policy.metric"
local options = require "gridcentric.util.options"
local units = require "gridcentric.util.units"

---@class gridcentric.TargetOptions
---@field metric string what is measured: "sessions", "cpu", "latency.p95", "my.queue_depth", ...
---@field value number|string what each clone is to have: 40, "60%", "250 ms", "512 MB"
---@field tolerance? number deviation that changes nothing, as a share of the value (0.1)
---@field average? boolean for a metric of the program's own: it is an average, no total (false)

local OPTIONS = {
	metric = { metric.load, required = true },
	value = { units.quantity("a number above 0", units.ALL), required = true },
	tolerance = { options.number(0, 0.99), default = 0.1 },
	average = { options.boolean },
}

-- Without clones there is no average.
local function first_clone(sample)
	if sample.connections > 0 then return 1, "a first clone for who is there" end
	return 0, "no clone, and nobody there"
end

---Target tracking.
---@param given gridcentric.TargetOptions
---@return gridcentric.Scale
local function target(given)
	local o = options.demand(OPTIONS, given, "target")
	local read, of = metric.reader(o.metric), metric.find(o.metric)
	if o.average == nil then o.average = of.kind == "average" end
	local aim = ("%s per clone"):format(units.show(o.value, of.unit))
	local near = ("within %s of %s"):format(units.show(o.tolerance, "%"), aim)

	return function(now, sample, state)
		if o.average and sample.clones == 0 then return first_clone(sample) end
		local value = read(sample)
		if not value then return metric.missing(o.metric) end
		local need = value * (o.average and sample.clones or 1) / o.value -- clones' worth of load
		local there = sample.clones + sample.coming
		local shown = metric.show(o.metric, value)
		if there > 0 and math.abs(need / there - 1) <= o.tolerance then
			return there, ("%s, %s"):format(shown, near)
		end
		-- a sum that misses a whole number by a rounding error is no clone more
		return math.ceil(need - 1e-9), ("%s, %s"):format(shown, aim)
	end
end

return target
