-- The driver: knows when the policy is asked.
--
--	local service = controller.new { policy =, platform =, proxy =, clock =, log =, new_key = }
--	service:start(function(ok, err) ... end)
--	service:shutdown(function() ... end)
--
-- Theory of operation. Something happens: somebody new arrives (traffic.lua), a clone or the
-- program comes or goes (fleet.lua, program.lua), a second has passed. Each time the policy is
-- asked, and the plan makes places for clones, or takes clones out. What was planned in one turn
-- of the loop is told and done at its end, by settle(). When clones change, those who wait for one
-- are looked at again.
--
-- Everything that acts is handed in, so that specs and replay run this very code: the platform
-- (see platform.lua), the proxy (proxy/init.lua), the clock (clock.lua), the log.

local active_policy = require "gridcentric.controller.active_policy"
local commands = require "gridcentric.controller.commands"
local decisions = require "gridcentric.controller.decisions"
local guard = require "gridcentric.util.guard"
local news = require "gridcentric.controller.event_dedup"
local parts = require "gridcentric.controller.parts"
local plan = require "gridcentric.plan"
local recorder = require "gridcentric.controller.recorder"
local reload = require "gridcentric.controller.reload"
local report = require "gridcentric.controller.report"
local shadow = require "gridcentric.controller.shadow"

local controller = {}

local TICK_S = 1
local REPORT_GAP_S = 0.001 -- between reports, for each clone in them: a hundredth of the time

---@class gridcentric.Log
---@field event fun(what: string, vmid: integer?, text: string, details: table?)
---@field error fun(text: string)

---@class gridcentric.ControllerOptions
---@field policy gridcentric.Policy
---@field platform gridcentric.Platform
---@field proxy gridcentric.Proxy
---@field clock gridcentric.Clock
---@field log gridcentric.Log
---@field new_key fun(): string makes the key of a session
---@field is_key? fun(value: string): boolean whether new_key() has made it
---@field instruments? gridcentric.Instruments what is outside is measured with
---@field check_clone? gridcentric.Probe how the health of a clone is checked
---@field seed? integer of what the route leaves to chance
---@field load? fun(): gridcentric.Policy?, string? reads the policy file anew
---@field list_domains? fun(callback: fun(domains: table[]?, err: string?)) asked each second
---@field find_listeners? fun(callback: fun(addresses: string?)) finds where the program listens
---@field is_paced? boolean whoever made it calls tick() each second, as replay does

---@class gridcentric.Controller: gridcentric.ControllerOptions
---@field active gridcentric.ActivePolicy what the policy said
---@field decisions gridcentric.Decisions what was decided, in the end
---@field asked gridcentric.Sample? that the policy was given last
---@field shadow gridcentric.Shadow? a policy that is only asked
---@field recorder gridcentric.Recorder of each time that the policy is asked
---@field counters { engine_losses: integer }
---@field metrics gridcentric.Metrics
---@field admin gridcentric.Admin? where /metrics is served
---@field fleet gridcentric.Fleet
---@field program gridcentric.Program
---@field rotation gridcentric.Rotation
---@field traffic gridcentric.Traffic
local Controller = { __name = "gridcentric.controller" }
Controller.__index = Controller

-- The policy is asked ----------------------------------------------------------------------------

-- A metric that the policy needs is missing.
local function tell_missing(self, missing)
	if not self.news:is_new(self.clock.now(), missing) then return end
	local name = missing:match "my%.([%w_]+)"
	local why = name and self.metrics:errors()[name]
	self.event("metric", nil, why and ("%s: %s"):format(missing, why) or missing)
end

---Tells what was wrong with a clone's answer, once a minute at most.
---@param clone gridcentric.Clone
---@param detail string
function Controller:report_bad_answer(clone, detail)
	local text = ("clone %d answered badly: %s"):format(clone.vmid, detail)
	if self.news:is_new(self.clock.now(), text) then self.event("answer", clone.vmid, text) end
end

---Asks the policy, and plans what it says. Acts at the end of the turn.
---@param cause "tick"|"arrival"|"change"
function Controller:decide(cause)
	if self.ending then return end
	local now, sample = self.clock.now(), self.sample()
	local desired = self.active:ask(now, sample)
	if self.active.missing then tell_missing(self, self.active.missing) end
	local actions = self.fleet:aim(desired)
	self.asked = sample
	self.recorder:note(now, cause, sample, desired, actions.wanted)
	local is_due = actions.launch or #actions.retire > 0 or actions.wanted ~= self.decisions.wanted
	if self.shadow and self.shadow:ask(now, sample) then is_due = true end
	if is_due then self:settle_soon() end
end

-- What was decided in this turn, as one decision.
local function tell_decision(self)
	if not self.asked then return end
	local now = self.clock.now()
	self.decisions:settle(now, self.active, self.fleet, self.asked)
	if self.shadow then self.shadow:settle(now, self.decisions.wanted) end
end

-- Leaves a report with the platform, when the last one is old enough.
local function report_soon(self)
	if self.cancel_report or not self.platform.report then return end
	local wait = math.max(self.report_due - self.clock.now(), 0)
	self.cancel_report = self.clock.after(wait, function()
		self.cancel_report = nil
		self.report_due = self.clock.now() + REPORT_GAP_S * self.fleet.pool:count()
		self.platform:report(self:report())
	end)
end

local function settle(self)
	self.cancel_settle = nil
	if self.ending then return end
	tell_decision(self)
	self.fleet:act(self.decisions.last)
	report_soon(self)
end

---Has what this turn planned told and done at its end.
function Controller:settle_soon()
	self.cancel_settle = self.cancel_settle or self.clock.after(0, function() settle(self) end)
end

---Clones came or went, or something else is wanted: some clones may be missing, and who waits for
---one may have to no longer.
---@param cause? "tick"|"change"
function Controller:react(cause)
	self:decide(cause or "change")
	self.traffic:serve_held()
	self:settle_soon()
end

-- Asks which domains there are, unless the last answer is still on its way.
local function compare(self)
	if not self.list_domains or self.is_listing then return end
	self.is_listing = true
	self.list_domains(self.callback(function(domains)
		self.is_listing = false
		if domains then self.fleet:reconcile(domains) end
	end))
end

---What is done each second.
function Controller:tick()
	if not self.is_paced then
		self.cancel_tick = self.clock.after(TICK_S, function() self:tick() end)
	end
	compare(self)
	self.traffic:expire()
	self.fleet:mature()
	self.fleet.retirement:tick()
	self.rotation:tick()
	self.metrics:refresh()
	self:react "tick"
end

-- What it consists of ----------------------------------------------------------------------------

-- What is given to the platform to call: guarded, and dead when this is over.
local function new_callback(self, fn)
	local protected = guard.protect(fn, self.log.error)
	return function(...)
		if not self.closed then protected(...) end
	end
end

local function new_shadow(self)
	local p = self.policy
	return p.shadow and shadow.new {
		policy = p.shadow, is_dry_run = p.is_dry_run, event = self.event,
	} or nil
end

---@param o gridcentric.ControllerOptions
---@return gridcentric.Controller
function controller.new(o)
	local self = setmetatable({
		policy = o.policy, platform = o.platform, proxy = o.proxy, clock = o.clock, log = o.log,
		list_domains = o.list_domains, load = o.load, is_paced = o.is_paced,
		recorder = recorder.new(o.clock),
		report_due = o.clock.now(),
		news = news.new(),
		counters = { engine_losses = 0 },
	}, Controller)
	function self.event(what, vmid, text, details)
		self.log.event(what, vmid, text, details)
		self.platform:event(what, vmid, text, details)
		self.active:on_event { what = what, vmid = vmid, text = text, details = details }
	end
	self.active = active_policy.new(self.policy, self.event, o.clock.now)
	self.decisions = decisions.new(o.clock.now(), self.event)
	self.shadow = new_shadow(self)
	function self.callback(fn) return new_callback(self, fn) end
	parts.tie(self, o)
	function self.sample() return self.metrics:sample() end
	return self
end

-- What the platform tells ------------------------------------------------------------------------

local function on_domain(self, vmid, state, info)
	if state ~= "ready" then self.metrics.reported:forget(vmid) end
	if vmid == 0 then return self.program:on_domain(state, info) end
	self.fleet:on_domain(vmid, state, info)
end

-- The engine has ended, and all domains that it had made.
local function on_lost(self, err)
	self.counters.engine_losses = self.counters.engine_losses + 1
	self.metrics.reported:clear()
	self.event("engine", nil, "the engine is lost: " .. err)
	self.fleet:lose_all(err)
	if self.platform.kind == "outside" then self.program:on_domain("ended", { text = err }) end
end

-- The policy is changed, or overruled ------------------------------------------------------------

---Goes by another policy from now on. Nobody who is connected notices.
---@param new gridcentric.Policy
function Controller:use(new)
	self.policy = new
	self.program.policy = new
	for _, name in ipairs { "active", "proxy", "fleet", "rotation", "traffic" } do
		self[name]:use(new)
	end
	self.shadow = new_shadow(self)
	self.metrics:follow(new)
	self:react()
end

---Loads the policy file again; if it is wrong, nothing changes. Reported as an event.
---@return boolean ok
---@return string text what came of it, or what is wrong
function Controller:reload()
	return reload(self)
end

---Overrules the policy until it is told otherwise.
---@param how? integer|"paused" a number of clones, or nothing is done; nil: no longer
function Controller:hold(how)
	plan.hold(self.fleet.plan, how)
	self:react()
end

-- Its life ---------------------------------------------------------------------------------------

---Starts the program; who arrives from now on waits until it can be cloned.
---@param callback fun(ok: true?, err: string?, code: string?)
function Controller:start(callback)
	self.platform:subscribe(self.callback(function(...) on_domain(self, ...) end))
	self.platform:on_lost(self.callback(function(err) on_lost(self, err) end))
	self.platform:on_command(self.callback(function(command, reply)
		reply(commands.run(self, command))
	end))
	self.platform:on_metric(self.callback(function(...) self.metrics.reported:set(...) end))
	self.proxy:serve(self.traffic)
	self.program:start(function(ok, err, code)
		if ok then self:tick() end
		callback(ok, err, code)
	end)
end

-- What status shows.
---@return gridcentric.Report
function Controller:report()
	return report.new(self)
end

-- Nothing happens any more.
local function close(self)
	self.ending, self.closed = true, true
	self.program:close()
	self.metrics:close()
	if self.admin then self.admin:close() end
	for _, name in ipairs { "cancel_tick", "cancel_settle", "cancel_report", "cancel_drain" } do
		if self[name] then self[name]() end
	end
end

---Nothing happens any more, and nothing is touched: for a clone, which inherited this.
function Controller:abandon()
	self.is_abandoned = true
	close(self)
end

-- Ends all within grace_ms; called again with less, sooner.
local function finish(self, grace_ms)
	if self.grace_ms and self.grace_ms <= grace_ms then return end
	self.grace_ms = grace_ms
	close(self)
	self.proxy:close()
	self.platform:close(grace_ms, function()
		local on_finished = self.on_finished
		self.on_finished = nil
		if on_finished then on_finished() end
	end)
end

---Ends, if it is to and nobody is connected any more.
function Controller:finish_if_empty()
	if self.ending and self.traffic:is_empty() then
		finish(self, math.ceil(self.policy.stop_timeout * 1000))
	end
end

---Ends the service: nobody new is taken in, who is connected has drain_timeout, then all ends.
---Called again, it ends at once. In a clone, where there is nothing to end, it only calls back.
---@param callback? fun() of the first call: all has ended
function Controller:shutdown(callback)
	if self.is_abandoned then
		if callback then self.clock.after(0, callback) end
		return
	end
	if self.ending then return finish(self, 0) end
	self.ending, self.on_finished = true, callback
	self.program:close()
	self.proxy:stop_listening()
	self.traffic:drain()
	self.cancel_drain = self.clock.after(self.policy.drain_timeout, function()
		finish(self, math.ceil(self.policy.stop_timeout * 1000))
	end)
	self:finish_if_empty()
end

return controller
