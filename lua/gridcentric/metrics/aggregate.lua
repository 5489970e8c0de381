-- Makes one number of several: of the values that domains report, or of scraped series.

local aggregate = {}

---@type table<string, fun(values: number[]): number>
local FUNCTIONS = {}

function FUNCTIONS.sum(values)
	local sum = 0
	for _, value in ipairs(values) do sum = sum + value end
	return sum
end

function FUNCTIONS.avg(values)
	return FUNCTIONS.sum(values) / #values
end

function FUNCTIONS.min(values)
	local least = math.huge
	for _, value in ipairs(values) do least = math.min(least, value) end
	return least
end

function FUNCTIONS.max(values)
	local most = -math.huge
	for _, value in ipairs(values) do most = math.max(most, value) end
	return most
end

aggregate.NAMES = { "sum", "avg", "min", "max" }

---@param name "sum"|"avg"|"min"|"max"
---@param values number[]
---@return number? # nil if there are no values
function aggregate.of(name, values)
	if #values == 0 then return nil end
	return FUNCTIONS[name](values)
end

return aggregate
