-- How many clones a policy wants under several loads: for `gcscale check`. Pure.

local plan = require "gridcentric.plan"
local policy = require "gridcentric.config.load"
local registry = require "gridcentric.metrics.registry"

local check = {}

local LOADS = { 0, 1, 2, 5, 10 } -- users; the last one is limits.sessions

---@class gridcentric.CheckRow
---@field sessions integer
---@field desired integer? nil if the policy fails
---@field wanted integer?
---@field reason string or, if the policy fails, the error
---@field limit string?

-- A service without clones and n users, each with a connection and a request per second. What only
-- the program can report is not known.
local function sample_of(n, now)
	local sample = registry.idle()
	sample.sessions, sample.connections, sample.held, sample.requests = n, n, n, n
	sample.time = now
	return sample
end

local function nobody() return {} end

local function row_of(p, n, now)
	local desired, reason = policy.decide(p, now, sample_of(n, now), {}, p.clones.min)
	if not desired then return { sessions = n, reason = reason } end
	local actions = plan.step(plan.new(plan.options(p)), now, desired,
		{ ready = 0, planned = 0, starting = 0, can_clone = true, victims = nobody, connections = n })
	return {
		sessions = n, desired = desired, wanted = actions.wanted, reason = reason, limit = actions.limit,
	}
end

---@param p gridcentric.Policy
---@param now number seconds since 1970
---@return gridcentric.CheckRow[] rows each for a service that has just started
---@return boolean ok false if the policy failed
function check.rows(p, now)
	local rows, ok = {}, true
	local loads = table.move(LOADS, 1, #LOADS, 1, {})
	loads[#loads + 1] = p.limits.sessions
	for i, n in ipairs(loads) do
		rows[i] = row_of(p, n, now)
		ok = ok and rows[i].desired ~= nil
	end
	return rows, ok
end

return check
