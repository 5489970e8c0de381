-- Plays a trace before a policy: the very code of a service that runs (controller, policy, plan,
-- traffic, routes) under a virtual clock, on models of the platform and the proxy.
--
--	local result = replay.play(policy, trace, { clone_s = 0.005, denial = 0, seed = 1 })
--
-- Each row is a moment: the crowd is brought to its counts, then the second's work is done, as far
-- as the row is a tick. Rows that were recorded say so; of those written by hand each is one. Where
-- rows are further apart, seconds pass between them. What the trace says was measured is what the
-- policy sees, but processor time: that is divided among the clones there are now.

local controller = require "gridcentric.controller"
local crowd = require "gridcentric.replay.crowd"
local platform = require "gridcentric.replay.platform"
local proxy = require "gridcentric.replay.proxy"
local score = require "gridcentric.replay.score"
local trace = require "gridcentric.trace"
local unknown = require "gridcentric.replay.unknown"
local virtual = require "gridcentric.replay.clock"

local replay = {}

local LEAD_S = 1 -- the service is there so long before the first row, for clones.min
local TICK_S = 1
local PROGRESS_TICKS = 5000 -- between two calls of on_progress
local LATE_S = 0.5 -- ticks of a service that ran come a little late

---@class gridcentric.ReplayOptions
---@field clone_s? number seconds that it takes to make clones (0.005)
---@field denial? number share of the operations that are denied (0)
---@field seed? integer of all that is left to chance (1)
---@field per_clone? number users for whom a clone suffices; none: as many as the policy desires

---@class gridcentric.ReplayResult
---@field name string of the policy
---@field seconds number that were played
---@field clone_hours number
---@field most_clones integer
---@field under_s number seconds with fewer clones serving than needed
---@field held integer connections that had to wait for a clone
---@field refused integer connections
---@field decisions integer
---@field made integer clones
---@field ended integer clones
---@field denied integer operations
---@field faults integer times that the policy failed
---@field fault string? the last error
---@field fault_began number? when the last series of errors began, in the trace's seconds
---@field fault_ended number? when the policy worked again; nil: it failed to the end
---@field not_in_trace string[] metrics that the policy needs and the trace lacks
---@field load gridcentric.Steps users
---@field clones gridcentric.Steps

-- What is not played: the sessions' ends are in the trace; hooks are for a service that is real.
local function to_be_played(policy)
	local played = {}
	for key, value in pairs(policy) do played[key] = value end
	played.session_timeout, played.cookieless_timeout = math.huge, math.huge
	played.on_clone, played.on_event, played.shadow = nil, nil, nil
	return played
end

-- Where a trace has nothing but counts.
local NOTHING = trace.measured({ measured = {} }, 1)

-- Spreads what `before` clones shared over the `clones` that there are now.
local function spread(play, m, before, clones)
	m.cpu = m.cpu and m.cpu * before / clones
	for name, value in pairs(m.latency) do m.latency[name] = value * before / clones end
	for name, own in pairs(play.policy.metrics) do
		local is_average = own.aggregate == "avg" and m.my[name]
		if is_average then m.my[name] = m.my[name] * before / clones end
	end
	-- A clone has the memory it has, however many others there are.
	m.memory = m.memory_per_clone and m.memory_per_clone * clones or m.memory
end

-- The clones that each average was measured over: those that were recorded, or where it was spread,
-- those that there are now.
local function measured_over(play, m, before, clones)
	local over = { latency = clones, memory_per_clone = before }
	for name in pairs(m.my) do
		local own = play.policy.metrics[name]
		over["my." .. name] = own and own.aggregate == "avg" and clones or before
	end
	return over
end

-- What the policy sees now. A recorded average times the recorded clones is the load, which the
-- clones there are now share.
local function measured(play)
	local columns, service = play.trace.measured, play.service
	if not service or not next(columns) then return NOTHING end
	local row = math.max(play.row, 1)
	local m = trace.measured(play.trace, row)
	local clones, before = #service.fleet.pool.ready, columns.clones and columns.clones[row]
	m.clones = nil
	if not before then return m end
	if clones == 0 then
		clones, m.cpu = before, m.cpu and 0
	elseif clones ~= before then
		spread(play, m, before, clones)
	end
	m.measured_over = measured_over(play, m, before, clones)
	return m
end

local function new_service(play, policy, options)
	local last_key, errors = 0, {}
	play.errors = errors
	return controller.new {
		policy = policy,
		platform = play.platform,
		proxy = play.proxy,
		clock = play.clock,
		log = { event = function() end, error = function(text) errors[#errors + 1] = text end },
		new_key = function()
			last_key = last_key + 1
			return "key" .. last_key
		end,
		instruments = { recorded = function() return measured(play) end },
		check_clone = function(_, _, _, callback) callback() end,
		seed = options.seed,
		is_paced = true,
	}
end

local function new_play(given, t, o)
	local policy = to_be_played(given)
	local clock = virtual.new(t.at[1] - LEAD_S)
	local play = {
		policy = policy, trace = t, row = 0, nticks = 0, clock = clock, score = score.new(t.at[1]),
	}
	play.platform = platform.new(clock, o)
	play.proxy = proxy.new(clock, policy.mode)
	play.service = new_service(play, policy, o)
	play.unknown = unknown.new(t)
	local sample = play.service.sample
	function play.service.sample() return play.unknown:watch(sample()) end
	play.crowd = crowd.new(play.proxy, play.service.traffic, policy.sticky == false)
	return play
end

-- How things stand, for the score; called after each thing that happens.
local function new_observer(play, per_clone)
	local service, model, points = play.service, play.platform, play.score
	return function(now)
		local load = service.traffic.sessions.count
		local needed = per_clone and load / per_clone or service.active.desired
		points:see(now, load, model.made - model.ended, #service.fleet.pool.ready, needed)
	end
end

local function tick(play, at)
	play.ticked = at
	play.nticks = play.nticks + 1
	if play.on_progress and play.nticks % PROGRESS_TICKS == 0 then
		local from, to = play.trace.at[1], play.trace.at[play.trace.n]
		play.on_progress(math.max(at - from, 0) / math.max(to - from, 1))
	end
	play.service:tick()
end

local function pass_time(play, to, observe)
	while to - play.ticked > TICK_S + LATE_S do
		local at = play.ticked + TICK_S
		play.clock.advance(at, observe)
		tick(play, at)
		observe(at)
	end
	if to > play.clock.now() then play.clock.advance(to, observe) end
end

local function run(play, observe)
	local t, causes = play.trace, play.trace.cause
	play.service:start(function() end)
	play.ticked = play.clock.now()
	pass_time(play, t.at[1])
	for i = 1, t.n do
		local at = t.at[i]
		pass_time(play, at, observe)
		play.row = i
		play.crowd:become(t.sessions[i], t.connections[i])
		if not causes or causes[i] == "tick" then tick(play, at) end
		observe(at)
	end
	local last = t.at[t.n] + TICK_S -- so long holds the last row
	pass_time(play, last, observe)
	observe(last)
end

local function result_of(play, policy)
	local service, points, model = play.service, play.score, play.platform
	local n, last_fault = service.traffic.counters, service.active.faults.last
	return {
		name = policy.name,
		seconds = points.to - points.from,
		clone_hours = points.clone_s / 3600,
		most_clones = points.most,
		under_s = points.under_s,
		held = n.held,
		refused = n.refused,
		decisions = service.decisions.last,
		made = model.made,
		ended = model.ended,
		denied = model.denied,
		faults = service.active.counters.policy_errors,
		fault = last_fault and last_fault.err,
		fault_began = last_fault and last_fault.began,
		fault_ended = last_fault and last_fault.ended,
		not_in_trace = play.unknown:names(),
		load = points.load,
		clones = points.clones,
	}
end

---@param policy gridcentric.Policy
---@param t gridcentric.Trace
---@param given? gridcentric.ReplayOptions
---@param on_decision? fun(at: number, decision: gridcentric.Decision)
---@param on_progress? fun(share: number) called now and then with the share that was played
---@return gridcentric.ReplayResult
function replay.play(policy, t, given, on_decision, on_progress)
	given = given or {}
	local o = { clone_s = given.clone_s or 0.005, denial = given.denial or 0, seed = given.seed or 1 }
	local play = new_play(policy, t, o)
	play.on_progress = on_progress
	if on_decision then
		function play.platform.on_decision(decision) on_decision(play.clock.now(), decision) end
	end
	run(play, new_observer(play, given.per_clone))
	if play.errors[1] then error(play.errors[1], 0) end
	return result_of(play, policy)
end

return replay
