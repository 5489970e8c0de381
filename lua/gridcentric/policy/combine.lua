-- What combinators share: policies as parts of others.
--
-- A part is asked with a state of its own, so that parts do not get into each other's way. It may
-- have no opinion, which is nil and a reason, or lack a metric, which is the same with the code
-- "MISSING" (see metric.lua). A number is a part, too, that always says the same.
--
-- How to add a combinator: copy clamp.lua and its spec, describe it in schema.lua, and name it in
-- config/globals.lua.

local types = require "gridcentric.util.types"

local combine = {}

local MAX_CLONES = 2 ^ 53 -- a policy that says more is mistaken

---@alias gridcentric.Part gridcentric.Scale|integer

---The check of a type: a policy, or a number of clones.
---@param value any
---@return gridcentric.Scale?
---@return string? err
function combine.part(value)
	if type(value) == "function" then return value end
	if type(value) == "number" and math.tointeger(value) and value >= 0 then
		return function() return value end
	end
	return types.mismatch("a policy or a number of clones", value)
end

---Whether a policy may say this. Of NaN no comparison is true.
---@param value any
---@return boolean
function combine.is_number_of_clones(value)
	return type(value) == "number" and value >= 0 and value <= MAX_CLONES
end

---Asks a part.
---@param part gridcentric.Scale
---@param key any under which its state is kept
---@param now number
---@param sample gridcentric.Sample
---@param state table the combinator's
---@return integer? desired
---@return string reason
---@return string? code
function combine.ask(part, key, now, sample, state)
	local own = state[key]
	if not own then
		own = {}
		state[key] = own
	end
	local desired, reason, code = part(now, sample, own)
	if desired == nil then return nil, reason and tostring(reason) or "no opinion", code end
	if not combine.is_number_of_clones(desired) then
		error(("part %s returned %s, not a number of clones"):format(key, tostring(desired)), 0)
	end
	return math.ceil(desired), reason and tostring(reason) or ""
end

---@param first string
---@param second string
---@return string
function combine.join(first, second)
	if first == "" then return second end
	return ("%s; %s"):format(first, second)
end

---"12 sessions, 2 per clone; at most 4 by budget of 4 CPUs, 1 per clone"
---@param reason string
---@param bound "at least"|"at most"
---@param n integer
---@param why? string of the bound
---@return string
function combine.bounded(reason, bound, n, why)
	local form = why and why ~= "" and "%s %d by %s" or "%s %d"
	return combine.join(reason, form:format(bound, n, why))
end

-- The number that wins among those of the parts, and its reason: that of the first part, and if
-- another part overrode it, that one's.
local function choose(parts, beats, bound, now, sample, state)
	local best, reason, lacking
	for key, part in ipairs(parts) do
		local desired, why, code = combine.ask(part, key, now, sample, state)
		if code and not lacking then lacking = why end
		if desired and not best then
			best, reason = desired, why
		elseif desired and beats(desired, best) then
			best, reason = desired, combine.bounded(reason, bound, desired, why)
		end
	end
	return best, reason, lacking
end

---A policy that says what one of its parts says: that which beats all others.
---
---If a part lacks a metric, it might have beaten the rest. Then they are believed only if they beat
---what there is now, so that it could have gone no way but further.
---@param parts gridcentric.Scale[]
---@param beats fun(a: integer, b: integer): boolean
---@param bound "at least"|"at most" what a winner is to the others
---@return gridcentric.Scale
function combine.best(parts, beats, bound)
	return function(now, sample, state)
		local best, reason, lacking = choose(parts, beats, bound, now, sample, state)
		if lacking and not (best and beats(best, sample.clones + sample.coming)) then
			return nil, lacking, "MISSING"
		end
		if not best then return nil, "no opinion" end
		if lacking then reason = combine.join(reason, lacking) end
		return best, reason
	end
end

return combine
