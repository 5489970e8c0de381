-- The less loaded of two clones taken at random: nearly as even as `least`, at the same cost for
-- any number of clones (Mitzenmacher 1996).

local load = require "gridcentric.route.load"

---@type gridcentric.Pick
return function(request, clones, state)
	local list = load.candidates(clones)
	local n = #list
	if n < 2 then return list[1] end
	-- Two different ones: each half of the bits, scaled to the range.
	local bits = state.random()
	local i = 1 + ((bits >> 32) * n >> 32)
	local j = 1 + ((bits & 0xFFFFFFFF) * (n - 1) >> 32)
	if j >= i then j = j + 1 end
	local one, other = list[i], list[j]
	return load.of(other) < load.of(one) and other or one
end
