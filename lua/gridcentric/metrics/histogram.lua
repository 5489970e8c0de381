-- The distribution of values, since the start and over the last seconds.
--
-- The buckets are spaced evenly on a logarithmic scale, four between a value and its double, so
-- that the error of a quantile is a tenth at most. Memory is constant, and add() takes constant
-- time. Pure: the time (seconds) is an argument.

local window = require "gridcentric.metrics.window"

local histogram = {}

local PER_DOUBLE = 4

---@class gridcentric.Histogram
---@field count integer of all values
---@field sum number of all values
local Histogram = { __name = "gridcentric.histogram" }
Histogram.__index = Histogram

---@class gridcentric.HistogramOptions
---@field least number upper bound of the first bucket; should be the unit of the values
---@field doubles integer the last bound is least * 2 ^ doubles; the last bucket has no bound
---@field span number seconds of the window
---@field slots integer steps in which it moves

---@param o gridcentric.HistogramOptions
---@param now number
---@return gridcentric.Histogram
function histogram.new(o, now)
	local self = setmetatable({
		least = o.least,
		size = o.doubles * PER_DOUBLE + 2,
		count = 0,
		sum = 0,
		all = {},
	}, Histogram)
	for i = 1, self.size do self.all[i] = 0 end
	self.recent = window.new({ span = o.span, slots = o.slots, counts = self.size }, now)
	return self
end

-- The upper bound of a bucket, inclusive.
local function bound(self, i)
	return self.least * 2 ^ ((i - 1) / PER_DOUBLE)
end

local function bucket(self, value)
	if value <= self.least then return 1 end
	local i = math.ceil(math.log(value / self.least, 2) * PER_DOUBLE) + 1
	return math.min(i, self.size)
end

---@param now number
---@param value number
function Histogram:add(now, value)
	local i = bucket(self, value)
	self.all[i] = self.all[i] + 1
	self.count = self.count + 1
	self.sum = self.sum + value
	self.recent:add(now, i)
end

-- The value that `rank` of the counted values do not exceed. Values are assumed to be spread evenly
-- within a bucket; values beyond the last bound are reported as that bound.
local function value_at(self, counts, rank)
	local below = 0
	for i = 1, self.size - 1 do
		if counts[i] > 0 and below + counts[i] >= rank then
			local lower = i > 1 and bound(self, i - 1) or 0
			return lower + (bound(self, i) - lower) * (rank - below) / counts[i]
		end
		below = below + counts[i]
	end
	return bound(self, self.size - 1)
end

---Quantiles of the values within the window.
---@param now number
---@param ... number shares, from 0 to 1
---@return number ... 0 if there were no values
function Histogram:quantiles(now, ...)
	local counts, n = self.recent:read(now), 0
	for i = 1, self.size do n = n + counts[i] end
	local values = {}
	for i, share in ipairs { ... } do
		values[i] = n == 0 and 0 or value_at(self, counts, share * n)
	end
	return table.unpack(values)
end

---For each bound that is a double of the least one: how many values since the start were up to it.
---@return { bound: number, count: integer }[]
function Histogram:cumulative()
	local list, count = {}, 0
	for i = 1, self.size - 1 do
		count = count + self.all[i]
		if (i - 1) % PER_DOUBLE == 0 then
			list[#list + 1] = { bound = bound(self, i), count = count }
		end
	end
	return list
end

return histogram
