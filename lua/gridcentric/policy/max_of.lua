-- max_of { target { ... }, schedule { ... } }: as many as the part that wants most.
--
-- Parts without an opinion do not count. If a part lacks a metric, it may want any number: then
-- there can be more clones than now, but not fewer.

local arguments = require "gridcentric.policy.arguments"
local combine = require "gridcentric.policy.combine"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

local function is_more(a, b) return a > b end

---@param parts gridcentric.Part[] policies or numbers
---@return gridcentric.Scale
local function max_of(parts)
	local _, checked = arguments.demand(schema.max_of, parts)
	return origin.note(combine.best(checked, is_more, "at least"), checked)
end

return max_of
