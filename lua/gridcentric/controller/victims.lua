-- Which clones go when there are too many.
--
-- First those that are planned only, then those that are ejected, then those with the fewest
-- connections, the fewest sessions, the youngest. One that somebody uses goes only where the policy
-- allows that (`drain`). Pure.

local pool = require "gridcentric.controller.pool"

local victims = {}

-- By rank, of which there are few different ones: so this is cheaper than a sort. The smallest goes
-- first; within one, the youngest.
local function by_rank(clones, may_drain)
	local ranks, of_rank = {}, {}
	for kind, list in ipairs { clones.coming, clones.ejected, clones.ready } do
		for i = #list, 1, -1 do
			local clone = list[i]
			local connections, sessions = clone.connections, clone.sessions
			local is_unused = connections == 0 and sessions == 0
			if is_unused and pool.is_idle(clone) or may_drain and list ~= clones.coming then
				local rank = kind << 60 | connections << 30 | sessions
				local same = of_rank[rank]
				if same then
					same[#same + 1] = clone
				else
					of_rank[rank], ranks[#ranks + 1] = { clone }, rank
				end
			end
		end
	end
	table.sort(ranks)
	return ranks, of_rank
end

-- The first of them, at most n.
local function first(n, clones, may_drain)
	local found = {}
	local ranks, of_rank = by_rank(clones, may_drain)
	for _, rank in ipairs(ranks) do
		local same = of_rank[rank]
		local left = n - #found
		if left <= 0 then break end
		table.move(same, 1, math.min(left, #same), #found + 1, found)
	end
	return found
end

-- Has the policy choose, one after the other, from those that exist.
local function chosen(list, n, choose)
	local found, left = {}, {}
	for _, clone in ipairs(list) do
		if clone.state ~= "planned" then
			left[#left + 1] = clone
		elseif #found < n then
			found[#found + 1] = clone
		end
	end
	while #found < n and #left > 0 do
		local i = choose(left)
		if not i then break end
		found[#found + 1] = table.remove(left, i)
	end
	return found
end

---@param clones gridcentric.Pool
---@param n integer at most so many
---@param may_drain boolean whether also those that somebody uses
---@param choose? fun(clones: gridcentric.Clone[]): integer? the place of the next; nil: none
---@return gridcentric.Clone[]
function victims.of(clones, n, may_drain, choose)
	if not choose then return first(n, clones, may_drain) end
	return chosen(first(math.maxinteger, clones, may_drain), n, choose)
end

return victims
