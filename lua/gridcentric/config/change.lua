-- Whether a running service can change to another policy.

local change = {}

-- Keys that identify a service: they cannot change.
local FIXED = { "name", "listen", "mode", "sticky", "backend", "app", "admin" }

local function equal(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b end
	for key, value in pairs(a) do
		if not equal(value, b[key]) then return false end
	end
	for key in pairs(b) do
		if a[key] == nil then return false end
	end
	return true
end

---@param old gridcentric.Policy
---@param new gridcentric.Policy
---@return true?
---@return string? err names the first key that cannot change
function change.check(old, new)
	for _, key in ipairs(FIXED) do
		if not equal(old[key], new[key]) then
			return nil, ("%s: cannot change while the service runs; restart it"):format(key)
		end
	end
	return true
end

return change
