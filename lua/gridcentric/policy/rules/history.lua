-- What a value was like over the last seconds or days: avg(cpu, 30s) and the like in rules.
--
-- Readings are kept in slices of time, up to a minute of them, each a second long or a sixtieth of
-- the span. So neither memory nor the cost of a decision grows with the span, nor with how often
-- the policy is asked; and an instant in which it was asked a thousand times weighs no more than a
-- quiet one. A history looks back as far as its span, and at most a slice further.
--
-- The slices are plain tables, a ring, to be kept in a policy's state.

local history = {}

local SLICES = 60
local SHORTEST_S = 1

---@class gridcentric.HistoryShape
---@field width number seconds in a slice
---@field count integer slices in the ring

---@class gridcentric.HistorySlice
---@field index number how many slices of time were before it
---@field n integer readings in it
---@field sum number
---@field min number
---@field max number
---@field first number the first reading
---@field first_at number
---@field last number
---@field last_at number

---@param span number seconds, above 0
---@return gridcentric.HistoryShape
function history.shape(span)
	local width = math.max(span / SLICES, SHORTEST_S)
	return { width = width, count = math.ceil(span / width) + 1 }
end

---Notes a reading.
---@param shape gridcentric.HistoryShape
---@param slices gridcentric.HistorySlice[] empty at first
---@param now number seconds
---@param value number
function history.record(shape, slices, now, value)
	local index = now // shape.width
	local at = math.tointeger(index % shape.count) + 1
	local slice = slices[at]
	if not slice or slice.index ~= index then
		slices[at] = {
			index = index, n = 1, sum = value, min = value, max = value,
			first = value, first_at = now, last = value, last_at = now,
		}
		return
	end
	slice.n, slice.sum = slice.n + 1, slice.sum + value
	if value < slice.min then slice.min = value end
	if value > slice.max then slice.max = value end
	slice.last, slice.last_at = value, now
end

-- The slices that are no older than the span.
local function recent(shape, slices, now)
	local newest, found = now // shape.width, {}
	for at = 1, shape.count do
		local slice = slices[at]
		if slice and slice.index <= newest and slice.index > newest - shape.count then
			found[#found + 1] = slice
		end
	end
	return found
end

local function mean(slice)
	return slice.sum / slice.n
end

-- Each takes slices, at least one, in no order.

local function average(slices)
	local sum = 0
	for _, slice in ipairs(slices) do sum = sum + mean(slice) end
	return sum / #slices
end

local function minimum(slices)
	local least = math.huge
	for _, slice in ipairs(slices) do least = math.min(least, slice.min) end
	return least
end

local function maximum(slices)
	local most = -math.huge
	for _, slice in ipairs(slices) do most = math.max(most, slice.max) end
	return most
end

-- Change in a second, between the first and the last reading.
local function rate(slices)
	local first, last = slices[1], slices[1]
	for _, slice in ipairs(slices) do
		if slice.index < first.index then first = slice end
		if slice.index > last.index then last = slice end
	end
	local seconds = last.last_at - first.first_at
	return seconds > 0 and (last.last - first.first) / seconds or 0
end

-- The least mean of a slice that so many percent of them do not exceed.
local function percentile(percent)
	return function(slices)
		local means = {}
		for i, slice in ipairs(slices) do means[i] = mean(slice) end
		table.sort(means)
		return means[math.ceil(percent / 100 * #means)]
	end
end

---By name; see find().
history.FUNCTIONS = {
	avg = average, min = minimum, max = maximum, rate = rate,
	p50 = percentile(50), p90 = percentile(90), p95 = percentile(95), p99 = percentile(99),
}

---@alias gridcentric.HistoryFunction
---| fun(shape: gridcentric.HistoryShape, slices: gridcentric.HistorySlice[], now: number): number?

---The function of a name, which tells a number of what was noted; nil if nothing was.
---@param name string "avg", "min", "max", "rate", "p1" to "p99"
---@return gridcentric.HistoryFunction?
function history.find(name)
	local percent = tonumber(name:match "^p([1-9]%d?)$")
	local fn = history.FUNCTIONS[name] or percent and percentile(percent)
	return fn and function(shape, slices, now)
		local found = recent(shape, slices, now)
		return #found > 0 and fn(found) or nil
	end
end

return history
