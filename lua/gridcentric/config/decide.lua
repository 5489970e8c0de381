-- Asks a policy for the number of clones: `scale`, and `on_missing` where scale lacks a metric.
--
-- Code of the policy's file gets a copy of the sample, and is interrupted if it takes too long.
-- Ready policies need neither.

local combine = require "gridcentric.policy.combine"
local origin = require "gridcentric.policy.origin"
local printable = require "gridcentric.util.printable"
local sandbox = require "gridcentric.policy.sandbox"
local view = require "gridcentric.policy.sandbox.view"

local LONGEST_REASON, LONGEST_ERROR = 300, 600

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

-- Whether no code of the file runs in it.
local function is_ready(p)
	return origin.is_ready(p.scale)
		and (type(p.on_missing) ~= "function" or origin.is_ready(p.on_missing))
end

-- Nearly all texts are short and plain already.
local function one_line(text, longest)
	if #text <= longest and not text:find "[^\32-\126]" then return text end
	return printable.line(text, longest)
end

-- Makes what was said fit to be shown. Of a failure, desired is the text and reason the code.
local function conclude(p, fault, ok, desired, reason, missing, is_limited)
	if not ok then
		local err = one_line(desired, LONGEST_ERROR)
		return nil, origin.blame(p[fault.key], err), nil, nil, reason
	end
	missing = missing and one_line(missing, LONGEST_REASON)
	return desired, one_line(reason, LONGEST_REASON), missing, is_limited
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
---@return string? code "INTERRUPTED" where it took too long
return function(p, now, sample, state, last, is_early)
	local fault = {}
	if is_ready(p) then
		return conclude(p, fault,
			xpcall(ask, sandbox.error_text, p, now, sample, state, last, is_early, fault))
	end
	return conclude(p, fault,
		sandbox.call(ask, p, now, view.copy(sample), state, last, is_early, fault))
end
