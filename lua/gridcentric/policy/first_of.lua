-- first_of { target { metric = "cpu", value = "60%" }, ratio {} }: the first part that has an
-- opinion.
--
-- So a part stands in for those before it that have no opinion or lack a metric. All parts are
-- asked each time: the limits of each one count, and each one sees all that happens.

local arguments = require "gridcentric.policy.arguments"
local combine = require "gridcentric.policy.combine"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

-- What the first part with an opinion says; which part lacks a metric; the limits of all.
local function choose(parts, now, sample, state)
	local first, lacking, limits
	for key, part in ipairs(parts) do
		local desired, reason, code, own = combine.ask(part, key, now, sample, state)
		limits = combine.merge(limits, own)
		if desired and not first then
			if reason == "" then reason = ("part %d"):format(key) end
			first = { desired = desired, reason = reason, is_limited = own ~= nil and own.is_limited }
		end
		if code == "MISSING" and not first and not lacking then lacking = reason end
	end
	return first, lacking, limits
end

---@param parts gridcentric.Part[] policies or numbers
---@return gridcentric.Scale
local function first_of(parts)
	local _, checked = arguments.demand(schema.first_of, parts)

	return origin.note(function(now, sample, state)
		combine.leave(state, nil)
		local first, lacking, limits = choose(checked, now, sample, state)
		if not first then
			combine.leave(state, limits)
			return nil, lacking or "no opinion", lacking and "MISSING"
		end
		local n, reason, is_cut = combine.within(first.desired, first.reason, limits)
		combine.leave(state, { is_limited = is_cut or first.is_limited })
		return n, lacking and combine.join(reason, lacking) or reason
	end, checked)
end

return first_of
