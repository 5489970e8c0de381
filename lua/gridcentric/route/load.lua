-- How much a clone has to do, and among which clones those are chosen that have least.

local load = {}

---Users who hold no connection at the moment come back; browsers hold several. So whichever is
---more counts: long-lived connections and long-lived sessions both weigh as long as they live.
---@param clone gridcentric.Clone
---@return integer
function load.of(clone)
	local connections, sessions = clone.connections, clone.sessions
	return connections > sessions and connections or sessions
end

---Those that serve; while there are none, those that will.
---@param clones gridcentric.Routable
---@return gridcentric.Clone[]
function load.candidates(clones)
	return #clones.ready > 0 and clones.ready or clones.coming
end

return load
