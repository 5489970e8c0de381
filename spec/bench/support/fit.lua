-- Least squares: what each of some causes adds to an effect.
--
--	fit(points, { mb, one }, ms) -> { ms for each MB, ms in any case }
--
-- where mb(point), one(point), ms(point) are numbers.

-- The sum of a(p) * b(p).
local function product(points, a, b)
	local sum = 0
	for _, point in ipairs(points) do sum = sum + a(point) * b(point) end
	return sum
end

-- Solves the equations, whose last column is the right side; the matrix is positive.
local function solve(rows)
	local n = #rows
	for i = 1, n do
		for j = 1, n do
			local factor = j ~= i and rows[j][i] / rows[i][i] or 0
			for k = i, n + 1 do rows[j][k] = rows[j][k] - factor * rows[i][k] end
		end
	end
	local found = {}
	for i = 1, n do found[i] = rows[i][n + 1] / rows[i][i] end
	return found
end

---@param points table[]
---@param causes (fun(point: table): number)[]
---@param effect fun(point: table): number
---@return number[] one for each cause
return function(points, causes, effect)
	local rows = {}
	for i, cause in ipairs(causes) do
		rows[i] = {}
		for j, other in ipairs(causes) do rows[i][j] = product(points, cause, other) end
		rows[i][#causes + 1] = product(points, cause, effect)
	end
	return solve(rows)
end
