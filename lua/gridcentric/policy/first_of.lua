-- first_of { target { metric = "cpu", value = "60%" }, ratio {} }: the first part that says
-- something.
--
-- So a part stands in for those before it that have no opinion or lack a metric.

local arguments = require "gridcentric.policy.arguments"
local combine = require "gridcentric.policy.combine"
local schema = require "gridcentric.policy.schema"

---@param parts gridcentric.Part[] policies or numbers
---@return gridcentric.Scale
local function first_of(parts)
	local _, checked = arguments.demand(schema.first_of, parts)

	return function(now, sample, state)
		local lacking
		for key, part in ipairs(checked) do
			local desired, reason, code = combine.ask(part, key, now, sample, state)
			if desired then
				if reason == "" then reason = ("part %d"):format(key) end
				return desired, lacking and combine.join(reason, lacking) or reason
			end
			if code and not lacking then lacking = reason end
		end
		return nil, lacking or "no opinion", lacking and "MISSING"
	end
end

return first_of
