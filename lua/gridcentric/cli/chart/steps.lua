-- A value over time, divided into the columns of a chart, with the lowest and the highest value of
-- each column.

local steps = {}

---@class gridcentric.StepColumns
---@field low number[]
---@field high number[]

---@param s gridcentric.Steps the first one at `from` or earlier
---@param from number seconds
---@param to number
---@param n integer columns
---@return gridcentric.StepColumns
function steps.columns(s, from, to, n)
	local columns, i, value = { low = {}, high = {} }, 0, nil
	local ends = from
	for column = 1, n do
		local is_carried = i > 0 and s.at[i + 1] ~= ends -- otherwise it held for no time of this column
		local low, high = is_carried and value or math.huge, is_carried and value or -math.huge
		ends = from + (to - from) * column / n
		while s.at[i + 1] and (s.at[i + 1] < ends or column == n) do
			i = i + 1
			value = s.value[i]
			low, high = math.min(low, value), math.max(high, value)
		end
		columns.low[column], columns.high[column] = low, high
	end
	return columns
end

---@param s gridcentric.Steps
---@return number
function steps.most(s)
	local most = 0
	for _, value in ipairs(s.value) do most = math.max(most, value) end
	return most
end

return steps
