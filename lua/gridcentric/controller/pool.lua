-- The clones of a service, by state. Keeps records, acts on nothing.
--
--	planned -> starting -> ready -> draining -> ending -> dead
--	                       ejected
--
-- and from each to dead; an ejected one serves nobody until it is ready again. A planned or
-- starting clone is a place to wait at. One that is draining serves those who are on it, nobody
-- else; one that is ending was told to. Lists are in the order in which the clones were planned,
-- oldest first.

local pool = {}

---@class gridcentric.Clone
---@field slot integer its number in order of planning
---@field state "planned"|"starting"|"ready"|"ejected"|"draining"|"ending"|"dead"
---@field coming_as integer? its vmid, while it is starting
---@field vmid integer? from ready on
---@field ip string? where it serves, from ready on
---@field port integer?
---@field pid integer?
---@field since number when it was planned, then when it was ready; seconds
---@field connections integer that are served by it or wait for it
---@field sessions integer that count and belong to it
---@field cpu number? busy share of one core, as it was measured last
---@field memory number? bytes that it shares with no other process
---@field decision integer? number of the one that it was planned for
---@field ends_at number? while it drains: when it is ended in any case; seconds

---@class gridcentric.Pool: gridcentric.Routable
---@field ready gridcentric.Clone[]
---@field coming gridcentric.Clone[] planned and starting
---@field ejected gridcentric.Clone[]
---@field draining gridcentric.Clone[] those that are ending, too
---@field starting integer how many of `coming`
---@field is_limited boolean whether more clones are wanted than there can be now
---@field by_vmid table<integer, gridcentric.Clone> all that have been ready
---@field assigned table<integer, gridcentric.Clone> starting ones whose vmid is known
local Pool = { __name = "gridcentric.pool" }
Pool.__index = Pool

local LIST = {
	planned = "coming", starting = "coming", ready = "ready", ejected = "ejected",
	draining = "draining", ending = "draining",
}

---@return gridcentric.Pool
function pool.new()
	return setmetatable({
		ready = {}, coming = {}, ejected = {}, draining = {}, by_vmid = {}, assigned = {},
		starting = 0, last_slot = 0, version = 0, is_limited = false,
	}, Pool)
end

-- Where in a list a slot stands, or would stand.
local function position(list, slot)
	local low, high = 1, #list + 1
	while low < high do
		local middle = (low + high) // 2
		if list[middle].slot < slot then low = middle + 1 else high = middle end
	end
	return low
end

---@param now number
---@return gridcentric.Clone # planned
function Pool:plan(now)
	self.last_slot = self.last_slot + 1
	local clone = {
		slot = self.last_slot, state = "planned", since = now, connections = 0, sessions = 0,
	}
	self.coming[#self.coming + 1] = clone
	self.version = self.version + 1
	return clone
end

---The oldest starting clone whose vmid is not known.
---@return gridcentric.Clone?
function Pool:first_unassigned()
	for _, clone in ipairs(self.coming) do
		if clone.state ~= "starting" then return nil end -- those that are come first
		if not clone.coming_as then return clone end
	end
end

---This starting clone will be that vmid.
---@param clone gridcentric.Clone
---@param vmid integer
function Pool:assign(clone, vmid)
	clone.coming_as = vmid
	self.assigned[vmid] = clone
end

local function leave_start(self, clone)
	self.starting = self.starting - 1
	if clone.coming_as then self.assigned[clone.coming_as] = nil end
	clone.coming_as = nil
end

---@param clone gridcentric.Clone
---@param state string
function Pool:move(clone, state)
	local from, to = self[LIST[clone.state]], self[LIST[state]]
	if clone.state == "starting" then leave_start(self, clone) end
	if state == "starting" then self.starting = self.starting + 1 end
	clone.state = state
	if from ~= to then
		self.version = self.version + 1
		table.remove(from, position(from, clone.slot))
		if to then table.insert(to, position(to, clone.slot), clone) end
	end
	if state == "dead" and clone.vmid then self.by_vmid[clone.vmid] = nil end
end

---A starting clone serves from now on.
---@param clone gridcentric.Clone
---@param vmid integer
---@param info { ip: string, port: integer, pid: integer? }
---@param now number
function Pool:serve(clone, vmid, info, now)
	clone.vmid, clone.ip, clone.port, clone.pid = vmid, info.ip, info.port, info.pid
	clone.since = now
	self.by_vmid[vmid] = clone
	self:move(clone, "ready")
end

---@return integer # all that are not dead
function Pool:count()
	return #self.coming + #self.ready + #self.ejected + #self.draining
end

---The clones of a state that is part of `coming`.
---@param state "planned"|"starting"
---@return gridcentric.Clone[]
function Pool:list(state)
	local found = {}
	for _, clone in ipairs(self.coming) do
		if clone.state == state then found[#found + 1] = clone end
	end
	return found
end

---Whether users can be sent to the clone, now or when it is ready.
---@param clone gridcentric.Clone?
---@return boolean
function pool.is_usable(clone)
	local state = clone and clone.state
	return state == "ready" or state == "starting" or state == "planned"
end

---Whether the clone exists and is not on its way out.
---@param clone gridcentric.Clone
---@return boolean
function pool.is_served(clone)
	return clone.state == "ready" or clone.state == "ejected"
end

---Whether nobody uses the clone, and it can be ended.
---@param clone gridcentric.Clone
---@return boolean
function pool.is_idle(clone)
	local state = clone.state
	local may_end = state == "ready" or state == "planned" or state == "ejected"
	return may_end and clone.connections == 0 and clone.sessions == 0
end

return pool
