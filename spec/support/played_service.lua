-- A service on the models of platform and proxy that replay has: nothing is real, and the spec
-- moves the clock.
--
--	local c, clock = played_service.new { scale = ... }    keys of the policy
--	local c, clock = played_service.of(policy)
--	clock.advance(clock.now() + 1)
--	c:tick()                                               each second's work

local controller = require "gridcentric.controller"
local platform = require "gridcentric.replay.platform"
local policy = require "gridcentric.config.load"
local proxy = require "gridcentric.replay.proxy"
local virtual = require "gridcentric.replay.clock"

local played_service = {}

---@param p gridcentric.Policy
---@return gridcentric.Controller
---@return gridcentric.VirtualClock
function played_service.of(p)
	local clock, last_key = virtual.new(1000), 0
	local c = controller.new {
		policy = p,
		platform = platform.new(clock, { clone_s = 0.005, denial = 0, seed = 1 }),
		proxy = proxy.new(clock, p.mode),
		clock = clock,
		log = { event = function() end, error = error },
		new_key = function()
			last_key = last_key + 1
			return "key" .. last_key
		end,
		is_paced = true,
	}
	c:start(function() end)
	return c, clock
end

-- Its sessions end when the spec says so.
local DEFAULTS = {
	name = "spec", app = { script = "-" }, session_timeout = 1e6, cookieless_timeout = 1e6,
}

---@param given? table keys of the policy
---@param shadow? gridcentric.Policy
---@return gridcentric.Controller
---@return gridcentric.VirtualClock
function played_service.new(given, shadow)
	local o = {}
	for _, some in ipairs { DEFAULTS, given or {} } do
		for key, value in pairs(some) do o[key] = value end
	end
	local p = assert(policy.check(o))
	p.shadow = shadow
	return played_service.of(p)
end

return played_service
