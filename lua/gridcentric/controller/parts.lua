-- What a controller consists of, and who tells whom: no part knows another but by what it is given
-- here.

local fleet = require "gridcentric.controller.fleet"
local metrics = require "gridcentric.metrics"
local program = require "gridcentric.controller.program"
local rotation = require "gridcentric.controller.rotation"
local router = require "gridcentric.controller.router"
local traffic = require "gridcentric.controller.traffic"

local parts = {}

local function new_metrics(c, instruments)
	return metrics.new {
		policy = c.policy,
		now = c.clock.now,
		clones = function() return c.fleet.pool.ready end,
		counts = {
			sessions = function() return c.traffic.sessions.count end,
			connections = function() return c.traffic.connections end,
			held = function() return c.traffic.held.length end,
			clones = function() return #c.fleet.pool.ready end,
			coming = function() return #c.fleet.pool.coming end,
			denied = function() return c.fleet.denied end,
			time = c.clock.time,
		},
		instruments = instruments,
	}
end

---Makes the parts, and puts them into the controller.
---@param c gridcentric.Controller with its clock, platform, proxy and policy
---@param o gridcentric.ControllerOptions
function parts.tie(c, o)
	local shared = {
		policy = c.policy, platform = c.platform, proxy = c.proxy, clock = c.clock,
		event = c.event, callback = c.callback, on_error = c.log.error,
		faults = c.active.faults, on_change = function() c:react() end,
	}
	local function with(more) return setmetatable(more, { __index = shared }) end
	c.program = program.new(with { find_listeners = o.find_listeners })
	c.fleet = fleet.new(with {
		can_clone = function() return c.program:runs() end,
		is_policy_limited = function() return c.active.is_limited end,
		connections = function() return c.traffic.connections end,
		on_ready = function(vmid) c.active:on_clone(vmid) end,
		vacate = function(clone) c.traffic:vacate(clone) end,
	})
	c.rotation = rotation.new(with {
		pool = c.fleet.pool,
		probe = o.check_clone,
		replace = function(clone, why) c.fleet.retirement:kill(clone, why) end,
	})
	c.metrics = new_metrics(c, o.instruments)
	c.traffic = traffic.new(with {
		router = router.new {
			route = c.policy.route, pool = c.fleet.pool, faults = c.active.faults,
			seed = o.seed or 0,
		},
		requests = c.metrics.requests,
		new_key = o.new_key,
		is_key = o.is_key or function() return false end,
		on_arrival = function() c:decide "arrival" end,
		on_bad_answer = function(clone, detail) c:report_bad_answer(clone, detail) end,
		on_outcome = function(...) c.rotation:on_outcome(...) end,
		on_vacant = function(clone) c.fleet.retirement:on_vacant(clone) end,
		on_empty = function() c:finish_if_empty() end,
	})
end

return parts
