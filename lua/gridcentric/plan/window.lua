-- The most, or the least, of the numbers that were said within the last seconds.
--
--	local most = window.new(1)
--	most.span = 300
--	window.say(most, now, 7)  -> the most since now - 300, 7 included
--
-- A number that is followed by a larger one can never be the most again and is forgotten at once:
-- what is left are the numbers in falling order, and the first of them is the answer. Each is put
-- in and taken out once, so that a step costs the same however many there were. Pure data.

local window = {}

---@class gridcentric.Window
---@field span number seconds; 0: only what was said last counts
---@field sign 1|-1 the most, or the least
---@field first integer index of the oldest that counts
---@field last integer
---@field at number[] when
---@field value number[]

---@param sign 1|-1
---@return gridcentric.Window
function window.new(sign)
	return { span = 0, sign = sign, first = 1, last = 0, at = {}, value = {} }
end

local function forget_older(w, time)
	while w.first <= w.last and w.at[w.first] <= time do
		w.at[w.first], w.value[w.first] = nil, nil
		w.first = w.first + 1
	end
end

local function forget_lesser(w, value)
	while w.first <= w.last and w.sign * w.value[w.last] <= w.sign * value do
		w.at[w.last], w.value[w.last] = nil, nil
		w.last = w.last - 1
	end
end

---@param w gridcentric.Window
---@param now number seconds, never going back
---@param value number
---@return number # the most, or the least, within the span
function window.say(w, now, value)
	forget_older(w, now - w.span)
	forget_lesser(w, value)
	w.last = w.last + 1
	w.at[w.last], w.value[w.last] = now, value
	return w.value[w.first]
end

return window
