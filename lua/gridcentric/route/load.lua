-- How much a clone has to do, and which one has least.

local load = {}

---Users without a connection come back, and browsers open several: so the larger number counts.
---Connections and sessions that live long both weigh for as long as they live.
---@param clone gridcentric.Clone
---@return integer
function load.of(clone)
	local connections, sessions = clone.connections, clone.sessions
	return connections > sessions and connections or sessions
end

---Clones that serve; while there are none, those that will.
---@param clones gridcentric.Routable
---@return gridcentric.Clone[]
function load.candidates(clones)
	return #clones.ready > 0 and clones.ready or clones.coming
end

---The clone with the least load in some lists; of equals the first.
---@param ... gridcentric.Clone[]
---@return gridcentric.Clone?
function load.least(...)
	local least, found = math.huge, nil
	for i = 1, select("#", ...) do
		for _, clone in ipairs((select(i, ...))) do
			local n = load.of(clone)
			if n < least then least, found = n, clone end
		end
	end
	return found
end

return load
