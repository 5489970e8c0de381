-- Counted things in English. Pure.

local plural = {}

---@param n integer
---@param noun string that takes an s in the plural
---@return string # "1 clone", "2 clones"
function plural.count(n, noun)
	return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

---@param n integer
---@return string # "once", "20 times"
function plural.times(n)
	return n == 1 and "once" or ("%d times"):format(n)
end

return plural
