-- step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }: tiers.
--
-- Each item is a tier, { from, clones }: from so much of the metric on, so many clones. Below the
-- first there are none.

local arguments = require "gridcentric.policy.arguments"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"
local units = require "gridcentric.util.units"

-- Reads where each tier begins. Returns what is wrong, if anything is.
local function read_tiers(name, tiers)
	for i, tier in ipairs(tiers) do
		local from, err = metric.quantity(name, tier.from)
		if not from then return ("item %d: from: %s"):format(i, err) end
		tier.from = from
		if i > 1 and from <= tiers[i - 1].from then
			return ("item %d: from has to be more than in the item before"):format(i)
		end
	end
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
	local o, tiers = arguments.demand(schema.step, given)
	local wrong = read_tiers(o.metric, tiers)
	if wrong then error("step: " .. wrong, 2) end
	local read, unit = metric.reader(o.metric), metric.find(o.metric).unit

	return origin.note(function(now, sample, state)
		local value = read(sample)
		if not value then return metric.missing(o.metric) end
		local reached = find(tiers, value)
		local shown = metric.show(o.metric, value)
		if not reached then
			return 0, ("%s, below %s"):format(shown, units.show(tiers[1].from, unit))
		end
		return reached.clones, ("%s, tier from %s"):format(shown, units.show(reached.from, unit))
	end)
end

return step
