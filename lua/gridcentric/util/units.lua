-- Units of time and size, and shares: read and written. Every number with a unit that a user
-- writes or sees goes through here.
--
--	units.read "500 MB"      500000000
--	units.show(0.25, "s")    "250 ms"
--
-- KB, MB, GB and TB are powers of 1000. KiB, MiB, GiB and TiB are powers of 1024, and so are K, M,
-- G and T, as for QEMU and for those who rent out machines.

local units = {}

---In seconds.
units.TIME = { ms = 0.001, s = 1, m = 60, min = 60, h = 3600, d = 86400 }

---In bytes.
units.SIZE = {
	B = 1,
	KB = 1e3, MB = 1e6, GB = 1e9, TB = 1e12,
	KiB = 1024, MiB = 1024 ^ 2, GiB = 1024 ^ 3, TiB = 1024 ^ 4,
	K = 1024, M = 1024 ^ 2, G = 1024 ^ 3, T = 1024 ^ 4,
}

units.SHARE = { ["%"] = 0.01 }

---What each unit is worth.
---@type table<string, number>
units.ALL = {}
for _, some in ipairs { units.TIME, units.SIZE, units.SHARE } do
	for unit, worth in pairs(some) do units.ALL[unit] = worth end
end

---What a unit is of: "s" for time, "B" for size, "%" for a share.
---@param unit string?
---@return "s"|"B"|"%"|nil
function units.kind(unit)
	return units.TIME[unit] and "s" or units.SIZE[unit] and "B" or units.SHARE[unit] and "%" or nil
end

---Reads a number with a unit: "30s", "1.5 GiB", "80%".
---@param text string
---@param known? table<string, number> the units that are allowed (all)
---@return number? value in seconds, bytes, or as a share of 1
---@return string? unit as it was written
function units.read(text, known)
	local digits, unit = text:match "^%s*(%d+%.?%d*)%s*([%a%%]+)%s*$"
	local worth = (known or units.ALL)[unit]
	if not worth then return nil end
	return tonumber(digits) * worth, unit
end

-- The steps in which a value is written, largest first.
local STEPS = {
	s = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" }, { 0.001, "ms" } },
	B = { { 1e12, "TB" }, { 1e9, "GB" }, { 1e6, "MB" }, { 1e3, "KB" }, { 1, "B" } },
	["%"] = { { 0.01, "%" } },
}

local GAP = { ["%"] = "" }

local ROUNDED = 0.9995 -- what is written with three digits as 1 of a step begins that step
local LARGEST_WHOLE = 1e15 -- larger numbers are written with an exponent

---Writes a number for people: 0.25, 12.3, 1570. It has three digits, or all those before the point.
---@param value number
---@return string
function units.number(value)
	local size = math.abs(value)
	if size >= 1000 * ROUNDED and size < LARGEST_WHOLE then return ("%.0f"):format(value) end
	return ("%.3g"):format(value)
end

---Writes a value for people, with three digits.
---@param value number
---@param unit? "s"|"B"|"%" what it is: seconds, bytes, a share of 1; none: a plain number
---@return string
function units.show(value, unit)
	local steps = STEPS[unit]
	if not steps then return units.number(value) end
	local step = steps[#steps]
	for _, candidate in ipairs(steps) do
		if math.abs(value) >= candidate[1] * ROUNDED then
			step = candidate
			break
		end
	end
	return ("%s%s%s"):format(units.number(value / step[1]), GAP[step[2]] or " ", step[2])
end

return units
