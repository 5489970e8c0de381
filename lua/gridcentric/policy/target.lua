-- target { metric = "cpu", value = "60%" }: as many clones as keep a metric at a value.
--
-- The load is divided by what one clone is to have: desired = load / value. A total (sessions,
-- requests, ...) is the load itself. An average over the clones (cpu, memory_per_clone,
-- latency.p95, ...) is taken to fall as clones are added, so the load is the average times the
-- clones it was measured over: never times a newer number of clones, or each clone that was made
-- would make up more load.
--
-- Within the tolerance nothing changes. Clones that are being made count as if they were there:
-- they were made for the load that is measured now.
--
-- More clones are wanted at once, fewer only after `down_window`: users who keep their connections
-- stay where they are, so new clones are idle at first and would be ended before anyone came.

local arguments = require "gridcentric.policy.arguments"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"
local units = require "gridcentric.util.units"
local window = require "gridcentric.plan.window"

-- Without clones there is no average.
local function first_clone(sample)
	if sample.connections > 0 then return 1, "a first clone for who is there" end
	return 0, "no clone, and nobody there"
end

-- How many clones a sample's average was measured over.
local function over_reader(name)
	local key = name:match "^latency" or name
	return function(sample)
		local over = sample.measured_over
		return over and over[key] or sample.clones
	end
end

-- What is needed now, in clones; and whether that is what there is.
local function need_of(o, load, there)
	local need = load / o.value
	local is_near = there > 0 and math.abs(need / there - 1) <= o.tolerance
	if is_near then return there, true end
	return math.ceil(need - 1e-9), false -- a rounding error is no clone more
end

-- The most that was needed within the window.
local function hold_down(o, state, now, need)
	if o.down_window == 0 then return need end
	state.needs = state.needs or window.new(1)
	state.needs.span = o.down_window
	return window.observe(state.needs, now, need)
end

---Target tracking.
---@param given gridcentric.TargetOptions
---@return gridcentric.Scale
local function target(given)
	local o = arguments.demand(schema.target, given)
	local read, over, of = metric.reader(o.metric), over_reader(o.metric), metric.find(o.metric)
	local goal, wrong = metric.quantity(o.metric, o.value)
	if goal and goal <= 0 then wrong = "a number above 0 expected, got " .. o.value end
	if wrong then error("target: value: " .. wrong, 2) end
	o.value = goal
	if o.average == nil then o.average = of.kind == "average" end
	local aim = ("%s per clone"):format(units.show(o.value, of.unit))
	local near = ("within %s of %s"):format(units.show(o.tolerance, "%"), aim)
	local held = "%s; %d needed within the last " .. units.show(o.down_window, "s")

	return origin.note(function(now, sample, state)
		if o.average and sample.clones == 0 then return first_clone(sample) end
		local value = read(sample)
		if not value then return metric.missing(o.metric) end
		local load = o.average and value * over(sample) or value
		local need, is_near = need_of(o, load, sample.clones + sample.coming)
		local reason = ("%s, %s"):format(metric.show(o.metric, value), is_near and near or aim)
		local most = hold_down(o, state, now, need)
		if most > need then return most, held:format(reason, most) end
		return need, reason
	end)
end

return target
