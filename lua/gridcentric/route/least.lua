-- The clone with the least load; of equals the oldest, so that the youngest becomes idle first.

local load = require "gridcentric.route.load"

---@type gridcentric.Pick
return function(request, clones, state)
	return load.least(load.candidates(clones))
end
