-- What `gcscale status` shows of a service, as one table.

local host_port = require "gridcentric.util.host_port"
local plan = require "gridcentric.plan"

local report = {}

---@class gridcentric.Report
---@field name string
---@field listen string where clients connect
---@field mode "http"|"tcp"
---@field program { runs: boolean, port: integer? }
---@field desired integer what the policy said last
---@field reason string
---@field wanted integer the same within bounds
---@field wanted_for number seconds since that changed
---@field decision integer? number of the decision that did
---@field limit string? why they differ, or why there are not so many clones
---@field held_at integer|"paused"|nil by an operator
---@field policy_error string? while the policy fails
---@field missing string? while the policy lacks a metric: on_missing decides
---@field metric_errors table<string, string> why metrics of the user's own cannot be had
---@field load gridcentric.Sample
---@field dry_run boolean whether the policy is only told about: then it is the shadow
---@field shadow gridcentric.ShadowReport? a policy that is only asked
---@field admin string? where /metrics is served
---@field sessions integer
---@field connections integer
---@field held integer connections that wait for a clone
---@field clones gridcentric.CloneReport[] oldest first
---@field counters table<string, integer> since the start
---@field refusals table<string, integer> the same, of those refused by reason

---@class gridcentric.CloneReport
---@field vmid integer? none before it is ready
---@field state "planned"|"starting"|"ready"|"ejected"|"draining"|"ending"
---@field address string?
---@field pid integer?
---@field connections integer
---@field sessions integer
---@field age number seconds in this state
---@field cpu number? busy share of one core
---@field memory number? bytes that it shares with no other process

local function tenths(seconds)
	return math.floor(seconds * 10) / 10
end

local function of_clone(clone, now)
	return {
		vmid = clone.vmid,
		state = clone.state,
		address = clone.ip and host_port.show(clone.ip, clone.port),
		pid = clone.pid,
		connections = clone.connections,
		sessions = clone.sessions,
		age = tenths(now - clone.since),
		cpu = clone.cpu,
		memory = clone.memory,
	}
end

local function of_clones(clones, now)
	local list = {}
	for _, state in ipairs { clones.draining, clones.ejected, clones.ready, clones.coming } do
		for _, clone in ipairs(state) do list[#list + 1] = of_clone(clone, now) end
	end
	return list
end

local function merged(...)
	local all = {}
	for _, counters in ipairs { ... } do
		for name, n in pairs(counters) do all[name] = n end
	end
	return all
end

---@param c gridcentric.Controller
---@return gridcentric.Report
function report.new(c)
	local now = c.clock.now()
	local actions = c.fleet.actions
	return {
		name = c.policy.name,
		listen = c.proxy.address,
		mode = c.policy.mode,
		program = { runs = c.program:runs(), port = c.platform.port },
		desired = c.active.desired,
		reason = c.active.reason,
		wanted = c.decisions.wanted,
		wanted_for = tenths(now - c.decisions.at),
		decision = c.decisions.last > 0 and c.decisions.last or nil,
		limit = actions and actions.limit or plan.obstacle(c.fleet.plan, now),
		held_at = c.fleet.plan.held,
		policy_error = c.active.faults:text(),
		missing = c.active.missing,
		metric_errors = c.metrics:errors(),
		load = c.sample(),
		dry_run = c.policy.is_dry_run or false,
		shadow = c.shadow and c.shadow:report(now),
		admin = c.admin and c.admin.address,
		sessions = c.traffic.sessions.count,
		connections = c.traffic.connections,
		held = c.traffic.held.length,
		clones = of_clones(c.fleet.pool, now),
		counters = merged(c.counters, c.active.counters, c.fleet.counters, c.fleet.retirement.counters,
			c.rotation.counters, c.traffic.counters, { program_starts = c.program.starts }),
		refusals = c.traffic.refusals,
	}
end

return report
