-- The clones of a service: has made and ended what the plan says, and sees them come and go.
--
--	local fleet = fleet.new { ... }
--	fleet:aim(3)    plans for three clones: there are places for them from now on
--	fleet:act()     at the end of the turn: has done what was planned
--	fleet:on_domain(vmid, state, info)
--
-- How clones leave: retirement.lua.
-- One operation is under way at a time. Clones that are ready take the oldest places of it; what is
-- left without a clone when it is over has failed.

local guard = require "gridcentric.util.guard"
local host_port = require "gridcentric.util.host_port"
local plan = require "gridcentric.plan"
local plural = require "gridcentric.util.plural"
local pool = require "gridcentric.controller.pool"
local queue = require "gridcentric.util.queue"
local retirement = require "gridcentric.controller.retirement"
local units = require "gridcentric.util.units"
local victims = require "gridcentric.controller.victims"
local view = require "gridcentric.policy.sandbox.view"

local fleet = {}

---@class gridcentric.FleetOptions
---@field policy gridcentric.Policy
---@field platform gridcentric.Platform
---@field clock gridcentric.Clock
---@field event fun(what: string, vmid: integer?, text: string, details: table?) tells what happened
---@field callback fun(fn: function): function makes what is given to the platform to call
---@field on_error fun(text: string) told of what nobody waits for
---@field can_clone fun(): boolean whether the program is up
---@field connections fun(): integer open ones of users
---@field is_policy_limited fun(): boolean whether the policy wants more clones than it may say
---@field vacate fun(clone: gridcentric.Clone) takes those from a clone who have nothing under way
---@field faults gridcentric.Faults calls the policy's functions
---@field on_ready fun(vmid: integer) told of each clone that is ready
---@field on_change fun() told when clones came or went

---@class gridcentric.Fleet: gridcentric.FleetOptions
---@field pool gridcentric.Pool
---@field plan gridcentric.Plan
---@field retirement gridcentric.Retirement
---@field actions gridcentric.Actions what the plan said last
---@field denied integer clones of the last operation that could not be made
---@field young gridcentric.Queue of ready clones that have not proved themselves, oldest first
---@field missing table<integer, gridcentric.Clone> by vmid: not listed the last time
---@field counters { made: integer, failed: integer, died: integer, denied: integer }
local Fleet = { __name = "gridcentric.fleet" }
Fleet.__index = Fleet

---@param o gridcentric.FleetOptions
---@return gridcentric.Fleet
function fleet.new(o)
	local clones = pool.new()
	return setmetatable({
		policy = o.policy,
		platform = o.platform,
		clock = o.clock,
		event = o.event,
		callback = o.callback,
		faults = o.faults,
		on_ready = o.on_ready,
		on_change = o.on_change,
		pool = clones,
		plan = plan.new(plan.options(o.policy)),
		retirement = retirement.new {
			policy = o.policy, platform = o.platform, pool = clones, clock = o.clock, event = o.event,
			callback = o.callback, on_error = o.on_error, vacate = o.vacate,
		},
		can_clone = o.can_clone,
		connections = o.connections,
		is_policy_limited = o.is_policy_limited,
		denied = 0,
		young = queue.new(),
		missing = {},
		counters = { made = 0, failed = 0, died = 0, denied = 0 },
	}, Fleet)
end

-- Making and ending ------------------------------------------------------------------------------

local function give_up_planned(self)
	for _, clone in ipairs(self.pool:list "planned") do self.pool:move(clone, "dead") end
end

-- The place of the one that the policy chooses; nil: none is to go.
local function ask_victim(self, list)
	local choose = self.policy.victim
	local seen = {}
	for i, clone in ipairs(list) do seen[i] = view.of(clone) end
	local ok, chosen = self.faults:call("victim", choose, seen)
	if not ok then return 1 end
	if chosen == nil then return nil end
	for i, clone in ipairs(list) do
		if clone == view.origin(chosen) then return i end
	end
	self.faults:blame("victim", ("%s: victim returned %s, not one of the clones it was given"):format(
		guard.place(choose), type(chosen)))
	return 1
end

local function find_victims(self, n)
	local is_own = self.policy.victim ~= "fewest"
	return victims.of(self.pool, n, self.policy.drain,
		is_own and function(list) return ask_victim(self, list) end)
end

---Plans for so many clones. What takes time is done by act().
---@param desired integer
---@return gridcentric.Actions
function Fleet:aim(desired)
	local now, clones = self.clock.now(), self.pool
	local actions = plan.step(self.plan, now, desired, {
		ready = #clones.ready + #clones.ejected,
		planned = #clones.coming - clones.starting,
		starting = clones.starting,
		connections = self.connections(),
		can_clone = self.can_clone(),
		victims = function(n) return find_victims(self, n) end,
	})
	if actions.drop then give_up_planned(self) end
	for _ = 1, actions.create do clones:plan(now) end
	clones.is_limited = desired > #clones.ready + #clones.coming or self.is_policy_limited()
	self.actions = actions
	return actions
end

local function on_launched(self, batch, err, code)
	local failed = {}
	for _, clone in ipairs(batch) do
		if clone.state == "starting" then failed[#failed + 1] = clone end
	end
	self.denied = #failed
	if #failed == 0 then return plan.granted(self.plan) end
	self.counters.failed = self.counters.failed + #failed
	if code == "GC_EDENIED" then self.counters.denied = self.counters.denied + 1 end
	err = err or "it was never ready"
	plan.refused(self.plan, self.clock.now(), err)
	local decision = batch[1].decision
	-- Who waits for them goes to other clones; where there is none, they keep their places.
	local state = #self.pool.ready > 0 and "dead" or "planned"
	for _, clone in ipairs(failed) do self.pool:move(clone, state) end
	self.event(code == "GC_EDENIED" and "denied" or "failed", nil,
		("%d of %s could not be made: %s"):format(#failed, plural.count(#batch, "clone"), err),
		{ wanted = #batch, made = #batch - #failed, code = code, decision = decision })
end

-- Has all made that is planned, by one operation.
local function launch(self)
	local batch = self.pool:list "planned"
	if self.pool.starting > 0 or #batch == 0 then return end
	for _, clone in ipairs(batch) do
		self.pool:move(clone, "starting")
		clone.since = self.clock.now()
	end
	local function launched(vmids, err, code)
		on_launched(self, batch, err, code)
		self.on_change()
	end
	self.platform:clone(#batch, self.callback(launched))
end

-- The youngest were planned since the last decision.
local function attribute(clones, decision)
	for i = #clones, 1, -1 do
		if clones[i].decision then return end
		clones[i].decision = decision
	end
end

---Has done what aim() planned last.
---@param decision integer number of the one that it was planned for
function Fleet:act(decision)
	local actions = self.actions
	if not actions then return end
	attribute(self.pool.coming, decision)
	for _, clone in ipairs(actions.retire) do
		-- It may have got users since it was chosen.
		local may_go = pool.is_idle(clone) or self.policy.drain and pool.is_served(clone)
		if may_go then self.retirement:retire(clone, "there are more than wanted", decision) end
	end
	actions.retire = {}
	if actions.launch then launch(self) end
end

-- Coming and going -------------------------------------------------------------------------------

-- Which place is this clone's: the oldest that has none yet. Clones are told as starting in the
-- order of their numbers, so that places have that order too, whichever is ready first.
local function on_starting(self, vmid)
	local clone = self.pool:first_unassigned()
	if clone then self.pool:assign(clone, vmid) end
end

local function on_ready(self, vmid, info)
	local clone = self.pool.assigned[vmid] or self.pool:first_unassigned()
	if not clone then return end -- it was given up
	local now = self.clock.now()
	local ms = (now - clone.since) * 1000
	self.pool:serve(clone, vmid, info, now)
	self.young:push(clone)
	self.counters.made = self.counters.made + 1
	local address = host_port.show(info.ip, info.port)
	self.event("ready", vmid, ("clone %d ready in %.0f ms at %s"):format(vmid, ms, address),
		{ ms = math.ceil(ms), address = address, pid = info.pid, decision = clone.decision })
	self.on_ready(vmid)
	self.on_change()
end

-- Takes a clone out that has ended. Returns its age if nobody had asked it to.
local function bury(self, clone, info)
	local vmid, age = clone.vmid, self.clock.now() - clone.since
	local was_expected = clone.state == "ending"
	self.pool:move(clone, "dead")
	self.young:remove(clone)
	if was_expected then
		self.event("ended", vmid, ("clone %d ended"):format(vmid))
		return
	end
	self.counters.died = self.counters.died + 1
	self.event("died", vmid, ("clone %d died after %s: %s"):format(vmid, units.show(age, "s"),
		info.text),
		{ status = info.status, signal = info.signal, connections = clone.connections })
	return age
end

local function on_end(self, vmid, info)
	local clone = self.pool.by_vmid[vmid]
	if not clone then return end -- not ours, or never ready: seen to when its operation is over
	local age = bury(self, clone, info)
	local stopped = age and plan.died(self.plan, self.clock.now(), age)
	if stopped then self.event("stopped", nil, stopped) end
	self.on_change()
end

-- Takes clones out that ended by no fault of theirs.
local function lose(self, vmids, why)
	if #vmids == 0 then return end
	table.sort(vmids)
	for _, vmid in ipairs(vmids) do bury(self, self.pool.by_vmid[vmid], { text = why }) end
	self.on_change()
end

---The platform tells of a clone.
---@param vmid integer
---@param state "starting"|"ready"|"ended"|"failed"
---@param info { ip: string?, port: integer?, pid: integer?, text: string? }
function Fleet:on_domain(vmid, state, info)
	if state == "starting" then return on_starting(self, vmid) end
	if state == "ready" then return on_ready(self, vmid, info) end
	on_end(self, vmid, info)
end

---Takes those out that the platform does not know twice in a row: their end may still be on its
---way.
---@param domains { vmid: integer }[] all that exist
function Fleet:reconcile(domains)
	local exists, missing, lost = {}, {}, {}
	for _, domain in ipairs(domains) do exists[domain.vmid] = true end
	for vmid, clone in pairs(self.pool.by_vmid) do
		if not exists[vmid] then missing[vmid] = clone end
		if missing[vmid] and self.missing[vmid] == clone then lost[#lost + 1] = vmid end
	end
	self.missing = missing
	lose(self, lost, "unknown to the platform")
end

---All clones are gone, with the engine.
---@param why string
function Fleet:lose_all(why)
	local lost = {}
	for vmid in pairs(self.pool.by_vmid) do lost[#lost + 1] = vmid end
	lose(self, lost, why)
end

---Clones that have lived long enough prove that clones can live.
function Fleet:mature()
	local now = self.clock.now()
	while self.young.first and plan.is_grown(now - self.young.first.since) do
		self.young:pop()
		plan.survived(self.plan)
	end
end

---Goes by another policy from now on. What the plan has seen is not forgotten.
---@param policy gridcentric.Policy
function Fleet:use(policy)
	self.policy = policy
	plan.configure(self.plan, plan.options(policy))
	self.retirement:use(policy)
end

return fleet
