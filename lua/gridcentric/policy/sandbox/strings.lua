-- Lua's functions of strings, as policies get them: those that could run for ever in C, where
-- nothing can interrupt them, are bounded.

local pattern = require "gridcentric.policy.sandbox.pattern"

local strings = {}

-- Not as methods: those are the ones of this file while a policy runs.
local find, gsub = string.find, string.gsub

local LONGEST = 64 * 1024 * 1024 -- bytes that rep() may make
local MOST_STEPS = 1e7 -- that C's matcher may need at the worst; some 50 ms

-- string.rep, which also counts to n where there is nothing to repeat.
local function rep(s, n, sep)
	if type(n) ~= "number" or type(s) ~= "string" and type(s) ~= "number" then
		return string.rep(s, n, sep)
	end
	local len = #tostring(s) + #tostring(sep or "")
	if len == 0 then return "" end
	if n * len > LONGEST then error("resulting string too large", 2) end
	return string.rep(s, n, sep)
end

-- Whether C's matcher could take too long: each repetition may be tried at each length, at each
-- place of the text. Then the pattern is matched by Lua, which can be interrupted.
local function is_costly(s, p)
	s, p = tostring(s), tostring(p)
	local repetitions = select(2, gsub(p, "[*+?-]", "")) + select(2, gsub(p, "%%b", ""))
	if not find(p, "^%^") then repetitions = repetitions + 1 end
	return (#s + 1) ^ repetitions > MOST_STEPS
end

local function guarded(name)
	local fast, slow = string[name], pattern[name]
	return function(s, p, ...)
		if type(s) ~= "string" or type(p) ~= "string" or not is_costly(s, p) then
			return fast(s, p, ...)
		end
		return slow(s, p, ...)
	end
end

---A copy of Lua's table `string`.
---@return table
function strings.copy()
	local copy = {}
	for name, fn in pairs(string) do copy[name] = fn end
	copy.rep = rep
	for _, name in ipairs { "find", "match", "gmatch", "gsub" } do copy[name] = guarded(name) end
	return copy
end

---What ("x"):rep(3) finds while code of a policy runs. No policy sees this table itself.
strings.METHODS = strings.copy()

return strings
