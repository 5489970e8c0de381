-- The clone with the least load; of equals the oldest, so that the youngest can be done without.

local load = require "gridcentric.route.load"

---@type gridcentric.Pick
return function(request, clones, state)
	local least, found = math.huge, nil
	for _, clone in ipairs(load.candidates(clones)) do
		local n = load.of(clone)
		if n < least then least, found = n, clone end
	end
	return found
end
