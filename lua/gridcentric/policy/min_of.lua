-- min_of { ratio {}, budget { cpus = 4 } }: as many as the part that wants fewest.
--
-- Parts without an opinion do not count. If a part lacks a metric, it may want any number: then
-- there can be fewer clones than now, but not more.

local arguments = require "gridcentric.policy.arguments"
local combine = require "gridcentric.policy.combine"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"

local function is_less(a, b) return a < b end

---@param parts gridcentric.Part[] policies or numbers
---@return gridcentric.Scale
local function min_of(parts)
	local _, checked = arguments.demand(schema.min_of, parts)
	return origin.note(combine.best(checked, is_less, "at most"), checked)
end

return min_of
