-- The newest clone, also while it is still being made, as in 2011: when it is full, the policy asks
-- for another one. Where there can be no more clones, the one with the least load.

local load = require "gridcentric.route.load"

---@type gridcentric.Pick
return function(request, clones, state)
	if clones.is_limited then return load.least(clones.ready, clones.coming) end
	return clones.coming[#clones.coming] or clones.ready[#clones.ready]
end
