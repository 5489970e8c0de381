-- What is said of many measurements of one thing.

local stats = {}

---The value below which the share q of the sorted list lies, between neighbours in proportion.
---@param sorted number[]
---@param q number 0 to 1
---@return number
function stats.quantile(sorted, q)
	local place = 1 + q * (#sorted - 1)
	local below = math.floor(place)
	local above = math.min(below + 1, #sorted)
	return sorted[below] + (place - below) * (sorted[above] - sorted[below])
end

---@param samples number[]
---@return number
function stats.median(samples)
	local sorted = table.move(samples, 1, #samples, 1, {})
	table.sort(sorted)
	return stats.quantile(sorted, 0.5)
end

---@param samples number[]
---@return { n: integer, min: number, p10: number, median: number, p99: number, max: number }
function stats.summary(samples)
	local sorted = table.move(samples, 1, #samples, 1, {})
	table.sort(sorted)
	return {
		n = #sorted, min = sorted[1], max = sorted[#sorted],
		p10 = stats.quantile(sorted, 0.1),
		median = stats.quantile(sorted, 0.5),
		p99 = stats.quantile(sorted, 0.99),
	}
end

return stats
