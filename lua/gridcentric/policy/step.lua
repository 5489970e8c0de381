-- step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }: tiers.
--
-- Each item is a tier, { from, clones }: from so much of the metric on, so many clones. Below the
-- first there are none.

local arguments = require "gridcentric.policy.arguments"
local metric = require "gridcentric.policy.metric"
local options = require "gridcentric.util.options"
local units = require "gridcentric.util.units"

---@class gridcentric.StepOptions
---@field metric string what is measured: "sessions", "cpu", "latency.p95", "my.queue_depth", ...
---@field [integer] { [1]: number|string, [2]: integer } from, clones; in rising order

local OPTIONS = {
	metric = { metric.load, required = true },
}

local check_number, check_clones = options.number(), options.integer(0)

local function check_from(value)
	return check_number(type(value) == "string" and units.read(value) or value)
end

local function tier(value)
	if type(value) ~= "table" or #value ~= 2 then return nil, "a tier { from, clones } expected" end
	local from, from_err = check_from(value[1])
	if not from then return nil, "from: " .. from_err end
	local clones, clones_err = check_clones(value[2])
	if not clones then return nil, "clones: " .. clones_err end
	return { from = from, clones = clones }
end

local function is_rising(tiers)
	for i = 2, #tiers do
		if tiers[i].from <= tiers[i - 1].from then return false, i end
	end
	return true
end

-- The last tier that has begun.
local function find(tiers, value)
	local low, high = 0, #tiers
	while low < high do
		local middle = (low + high + 1) // 2
		if tiers[middle].from <= value then low = middle else high = middle - 1 end
	end
	return tiers[low]
end

---So many clones from so much on.
---@param given gridcentric.StepOptions
---@return gridcentric.Scale
local function step(given)
	local o, tiers = arguments.demand(OPTIONS, tier, 1, given, "step")
	local rising, at = is_rising(tiers)
	if not rising then
		error(("step: item %d: from has to be more than in the item before"):format(at), 2)
	end
	local read, unit = metric.reader(o.metric), metric.find(o.metric).unit

	return function(now, sample, state)
		local value = read(sample)
		if not value then return metric.missing(o.metric) end
		local reached = find(tiers, value)
		local shown = metric.show(o.metric, value)
		if not reached then
			return 0, ("%s, below %s"):format(shown, units.show(tiers[1].from, unit))
		end
		return reached.clones, ("%s, tier from %s"):format(shown, units.show(reached.from, unit))
	end
end

return step
