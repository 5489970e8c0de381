-- weighted { weight = function(clone) return n end }: each clone gets its share.
--
-- Stride scheduling (Waldspurger and Weihl 1995): a pick of a clone moves it on by the inverse of
-- its weight; the one that is least far is next. So two clones of weights 2 and 1 are picked in
-- turn as 1 2 1 1 2 1 ..., without chance. Weights may change at any time.

local arguments = require "gridcentric.policy.arguments"
local guard = require "gridcentric.util.guard"
local load = require "gridcentric.route.load"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.route.schema"
local view = require "gridcentric.policy.sandbox.view"

local function weight_of(clone, fn)
	local weight = fn(view.of(clone))
	if type(weight) == "number" and weight >= 0 and weight < math.huge then return weight end
	error(("%s: weight returned %s, not a number from 0"):format(
		guard.place(fn), tostring(weight)), 0)
end

---@param given gridcentric.WeightedOptions
---@return gridcentric.Route
return function(given)
	local o = arguments.demand(schema.weighted, given)
	local function pick(request, clones, state)
		state.way = state.way or setmetatable({}, { __mode = "k" }) -- how far each is
		local list, way, start = load.candidates(clones), state.way, state.start or 0
		local first, step
		for _, clone in ipairs(list) do
			local weight = weight_of(clone, o.weight)
			-- A new one starts where the others are, or it would get all for a while.
			if not way[clone] or way[clone] < start then way[clone] = start end
			if weight > 0 and (not first or way[clone] < way[first]) then
				first, step = clone, 1 / weight
			end
		end
		if not first then return list[1] end
		state.start, way[first] = way[first], way[first] + step
		return first
	end
	return { name = "weighted", pick = origin.note(pick, { o.weight }) }
end
