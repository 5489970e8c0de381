-- What combinators share: policies as parts of others.
--
-- A part is asked with a state of its own, so that parts do not get in each other's way. It returns
-- a number of clones and a reason; or nil and a reason if it has no opinion; or the same with the
-- code "MISSING" if it lacks a metric (see metric.lua). A number is a part, too: it always wants
-- the same.
--
-- Limits are no wish of their own but bound what the other parts want: `at most 3` in a part of
-- max_of means that max_of returns at most 3. A ready policy leaves them in its state, by leave();
-- whoever asked it reads them by left().
--
-- How to add a combinator: copy clamp.lua and its spec, describe it in schema.lua, and name it in
-- config/globals.lua.

local origin = require "gridcentric.policy.origin"
local types = require "gridcentric.util.types"

local combine = {}

local MAX_CLONES = 2 ^ 53 -- a policy that says more is mistaken

---@alias gridcentric.Part gridcentric.Scale|integer

-- The key in a state: no name that a function of the user's may have taken.
local LIMITS = {}

---@class gridcentric.Limits
---@field least? integer
---@field most? integer
---@field least_why? string
---@field most_why? string
---@field is_all? boolean the policy has nothing else to say: its number is not a wish
---@field is_limited? boolean the policy wants more clones than it may say

---The check of a type: a policy, or a number of clones.
---@param value any
---@return gridcentric.Scale?
---@return string? err
function combine.part(value)
	local maker = origin.maker(value)
	if maker then return nil, ("options are missing: %s { ... }"):format(maker) end
	if type(value) == "function" then return value end
	if type(value) == "number" and math.tointeger(value) and value >= 0 then
		return origin.note(function() return value end)
	end
	return types.mismatch("a policy or a number of clones", value)
end

---Whether a policy may say this. Of NaN no comparison is true.
---@param value any
---@return boolean
function combine.is_number_of_clones(value)
	return type(value) == "number" and value >= 0 and value <= MAX_CLONES
end

---Leaves limits to whoever asked. To be called at each answer: what was left before is replaced.
---@param state table the policy's
---@param limits gridcentric.Limits?
function combine.leave(state, limits)
	state[LIMITS] = limits
end

---The limits that the last answer left.
---@param state table
---@return gridcentric.Limits?
function combine.left(state)
	return state[LIMITS]
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
---@return gridcentric.Limits? limits
function combine.ask(part, key, now, sample, state)
	local own = state[key]
	if not own then
		own = {}
		state[key] = own
	end
	own[LIMITS] = nil
	local desired, reason, code = part(now, sample, own)
	local limits = own[LIMITS]
	if desired == nil or limits and limits.is_all then
		return nil, reason and tostring(reason) or "no opinion", code, limits
	end
	if not combine.is_number_of_clones(desired) then
		error(("part %s returned %s, not a number of clones"):format(key, tostring(desired)), 0)
	end
	return math.ceil(desired), reason and tostring(reason) or "", nil, limits
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

---Adds the limits of a part to those of others: of several the strictest counts.
---@param all gridcentric.Limits?
---@param limits gridcentric.Limits?
---@return gridcentric.Limits? all
function combine.merge(all, limits)
	if not limits then return all end
	all = all or { is_all = true }
	if limits.least and limits.least > (all.least or -1) then
		all.least, all.least_why = limits.least, limits.least_why
	end
	if limits.most and limits.most < (all.most or math.huge) then
		all.most, all.most_why = limits.most, limits.most_why
	end
	return all
end

---A number within limits; where they exclude each other, the upper one counts.
---@param n integer
---@param reason string
---@param limits gridcentric.Limits?
---@return integer n
---@return string reason
---@return boolean is_cut whether there would be more without them
function combine.within(n, reason, limits)
	if not limits then return n, reason, false end
	if limits.least and n < limits.least then
		n, reason = limits.least, combine.join(reason, limits.least_why)
	end
	if limits.most and n > limits.most then
		return limits.most, combine.join(reason, limits.most_why), true
	end
	return n, reason, false
end

-- What the parts say together.
---@class gridcentric.Choice
---@field best integer? the number that beats all others
---@field reason string of the first part, and of the one that overrode it
---@field lacking string? which metric a part lacks
---@field limits gridcentric.Limits?
---@field is_limited boolean whether a part wants more than the best

local function is_limited(limits)
	return limits ~= nil and limits.is_limited == true
end

local function choose(parts, beats, bound, now, sample, state)
	local c, most = { is_limited = false }, 0
	for key, part in ipairs(parts) do
		local desired, why, code, limits = combine.ask(part, key, now, sample, state)
		if code == "MISSING" and not c.lacking then c.lacking = why end
		c.limits = combine.merge(c.limits, limits)
		if desired then most = math.max(most, desired) end
		if desired and not c.best then
			c.best, c.reason, c.is_limited = desired, why, is_limited(limits)
		elseif desired and beats(desired, c.best) then
			c.best, c.reason = desired, combine.bounded(c.reason, bound, desired, why)
			c.is_limited = is_limited(limits)
		end
	end
	c.is_limited = c.is_limited or c.best ~= nil and most > c.best
	return c
end

---A policy that says what one of its parts says: the one that beats all others, within the limits
---that parts set.
---
---A part that lacks a metric might have beaten the others. Then they are believed only if they beat
---what there is now: the number can go further that way, but not back.
---@param parts gridcentric.Scale[]
---@param beats fun(a: integer, b: integer): boolean
---@param bound "at least"|"at most" what a winner is to the others
---@return gridcentric.Scale
function combine.best(parts, beats, bound)
	return function(now, sample, state)
		combine.leave(state, nil)
		local c = choose(parts, beats, bound, now, sample, state)
		if c.lacking and not (c.best and beats(c.best, sample.clones + sample.coming)) then
			return nil, c.lacking, "MISSING"
		end
		if not c.best then
			combine.leave(state, c.limits)
			return nil, "no opinion"
		end
		local n, reason, is_cut = combine.within(c.best, c.reason, c.limits)
		combine.leave(state, { is_limited = is_cut or c.is_limited })
		if c.lacking then reason = combine.join(reason, c.lacking) end
		return n, reason
	end
end

return combine
