-- Asks a policy for the number of clones: `scale`, and `on_missing` where scale lacks a metric.

local combine = require "gridcentric.policy.combine"
local guard = require "gridcentric.util.guard"
local origin = require "gridcentric.policy.origin"

-- The number where scale lacks a metric.
local function substitute(p, now, sample, state, last, is_early)
	if is_early or p.on_missing == "hold" then return last end
	if type(p.on_missing) == "string" then return p.clones[p.on_missing] end
	return p.on_missing(now, sample, state)
end

local function check_desired(desired, key, fn)
	if combine.is_number_of_clones(desired) then return math.ceil(desired) end
	error(("%s: %s returned %s, not a number of clones"):format(
		origin.place(fn), key, tostring(desired)), 0)
end

-- Without an opinion the number stays; limits alone bound the least that there is to be.
local function without_opinion(p, last, reason, limits)
	if limits and limits.is_all then return combine.within(p.clones.min, reason, limits) end
	return last, reason
end

local function ask(p, now, sample, state, last, is_early, fault)
	fault.key = "scale"
	combine.leave(state, nil)
	local desired, reason, code = p.scale(now, sample, state)
	reason = reason and tostring(reason)
	local limits = combine.left(state)
	local missing = desired == nil and code == "MISSING" and (reason or "a metric is missing") or nil
	if missing then
		fault.key = "on_missing"
		desired = substitute(p, now, sample, state, last, is_early)
	elseif desired == nil then
		desired, reason = without_opinion(p, last, reason or "no opinion", limits)
		return desired, reason, nil, false
	end
	if desired == nil then return last, reason or "no opinion", missing, false end
	return check_desired(desired, fault.key, p[fault.key]), reason or "", missing,
		limits ~= nil and limits.is_limited == true
end

---Asks the policy. Never raises.
---@param p gridcentric.Policy
---@param now number seconds
---@param sample gridcentric.Sample
---@param state table the policy's own
---@param last number what was desired so far, and still is if the policy has no opinion
---@param is_early? boolean a missing metric may not have been measured yet: nothing changes
---@return integer? desired
---@return string reason or, without desired, what is wrong with the policy
---@return string? missing the metric that the policy lacked, in words: on_missing has decided
---@return boolean? is_limited whether a limit of the policy's keeps it from wanting more
return function(p, now, sample, state, last, is_early)
	local fault = {}
	local ok, desired, reason, missing, is_limited =
		xpcall(ask, guard.text, p, now, sample, state, last, is_early, fault)
	if not ok then return nil, origin.blame(p[fault.key], desired) end
	return desired, reason, missing, is_limited
end
