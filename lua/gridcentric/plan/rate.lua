-- How much there was within the last seconds. Pure data; a step costs the same however much.

local rate = {}

---@class gridcentric.Rate
---@field sum number of all that counts
---@field first integer index of the oldest that counts
---@field last integer
---@field at number[] when
---@field value number[]

---@return gridcentric.Rate
function rate.new()
	return { sum = 0, first = 1, last = 0, at = {}, value = {} }
end

---@param r gridcentric.Rate
---@param now number seconds, never going back
---@param value number
function rate.add(r, now, value)
	r.last = r.last + 1
	r.at[r.last], r.value[r.last] = now, value
	r.sum = r.sum + value
end

---Forgets what is older for good: to be asked for one period.
---@param r gridcentric.Rate
---@param now number
---@param period number seconds
---@return number
function rate.within(r, now, period)
	while r.first <= r.last and r.at[r.first] <= now - period do
		r.sum = r.sum - r.value[r.first]
		r.at[r.first], r.value[r.first] = nil, nil
		r.first = r.first + 1
	end
	return r.sum
end

return rate
