-- The newest clone, also when it is still being made: as in 2011.

---@type gridcentric.Pick
return function(request, clones, state)
	return clones.coming[#clones.coming] or clones.ready[#clones.ready]
end
