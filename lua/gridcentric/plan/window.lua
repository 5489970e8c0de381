-- The largest, or the smallest, of the numbers observed within the last seconds.
--
--	local largest = window.new(1)
--	largest.span = 300
--	window.observe(largest, now, 7)  -> the largest since now - 300, 7 included
--
-- A number that is followed by a larger one can never be the largest again and is dropped at once.
-- The numbers that are left are in falling order, and the first of them is the answer. Each number
-- is added and dropped once, so a step costs the same however many there were. Pure data.

local window = {}

---@class gridcentric.Window
---@field span number seconds; 0: only the last number counts
---@field sign 1|-1 the largest, or the smallest
---@field first integer index of the oldest number that counts
---@field last integer
---@field at number[] when
---@field value number[]

---@param sign 1|-1
---@return gridcentric.Window
function window.new(sign)
	return { span = 0, sign = sign, first = 1, last = 0, at = {}, value = {} }
end

local function drop_older(w, time)
	while w.first <= w.last and w.at[w.first] <= time do
		w.at[w.first], w.value[w.first] = nil, nil
		w.first = w.first + 1
	end
end

local function drop_lesser(w, value)
	while w.first <= w.last and w.sign * w.value[w.last] <= w.sign * value do
		w.at[w.last], w.value[w.last] = nil, nil
		w.last = w.last - 1
	end
end

---@param w gridcentric.Window
---@param now number seconds, never going back
---@param value number
---@return number # the largest, or the smallest, within the span
function window.observe(w, now, value)
	drop_older(w, now - w.span)
	drop_lesser(w, value)
	w.last = w.last + 1
	w.at[w.last], w.value[w.last] = now, value
	assert(w.first <= w.last, "the last number always counts")
	return w.value[w.first]
end

return window
