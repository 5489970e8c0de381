-- Splits a command into words, as a shell does, but without substitutions.

local lpeg = require "lpeg"

local C, Cs, Ct, Cp, P, S = lpeg.C, lpeg.Cs, lpeg.Ct, lpeg.Cp, lpeg.P, lpeg.S

local space = S " \t\n"
local escaped = P "\\" / "" * C(1)
local in_single = P "'" / "" * (1 - P "'") ^ 0 * (P "'" / "")
local in_double = P '"' / "" * (P "\\" / "" * S '"\\' + (1 - P '"')) ^ 0 * (P '"' / "")
local word = Cs((in_single + in_double + escaped + (1 - (space + S "'\"\\"))) ^ 1)
local words = Ct(space ^ 0 * (word * (space ^ 1 + -P(1))) ^ 0) * Cp()

---@param text string
---@return string[]? # at least one
---@return string? err
return function(text)
	local found, stop = words:match(text)
	if stop <= #text then
		return nil, ("the quotes do not match in: %s"):format(text)
	end
	if #found == 0 or found[1] == "" then return nil, "there is no command in it" end
	for _, one in ipairs(found) do
		if one:find "%c" then return nil, "a control character in it" end
	end
	return found
end
