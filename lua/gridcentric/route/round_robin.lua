-- One ready clone after the other; while there is none, the first that is being made.

---@type gridcentric.Pick
return function(request, clones, state)
	if #clones.ready == 0 then return clones.coming[1] end
	state.last = (state.last or 0) % #clones.ready + 1
	return clones.ready[state.last]
end
