-- A service of so many clones, each with two users, on the models of the platform and the proxy
-- that replay has: what is measured is the code that decides, nothing else.

local crowd = require "gridcentric.replay.crowd"
local played_service = require "spec.support.played_service"

local service = {}

---@param n integer clones
---@param given? table keys of the policy
---@return gridcentric.Controller
---@return gridcentric.VirtualClock
---@return gridcentric.Crowd
function service.new(n, given)
	local o = { clones = { max = n }, limits = { sessions = 10 * n } }
	for key, value in pairs(given or {}) do o[key] = value end
	local c, clock = played_service.new(o)
	local users = crowd.new(c.proxy, c.traffic, c.policy.sticky == false)
	users:become(2 * n, 2 * n)
	clock.advance(clock.now() + 1)
	assert(#c.fleet.pool.ready == n, "not all clones were made")
	return c, clock, users
end

return service
