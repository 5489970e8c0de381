-- Turns the number of clones that a policy desires into bounded actions.
--
-- Pure: step(state, now, desired, facts) says what to do; granted(), refused(), died() and
-- survived() tell the plan how it went. How fast it goes from one number to another: pace.lua. A
-- clone that is planned has a place (users can be bound to it) before it exists. What is planned
-- while clones are being made is made together afterwards.
--
-- An operator may hold the plan: at what is there, when nothing at all is done, or at a number.
--
-- When clones cannot be had, the tries have growing gaps; when they die young, too, and after some
-- deaths no more are made at all until one that is left proves itself, or reset().

local pace = require "gridcentric.plan.pace"
local units = require "gridcentric.util.units"

local plan = {}

local YOUNG_S = 5 -- a clone that dies so soon after it was ready will hardly fare better next time
local MAX_YOUNG_DEATHS = 5
local FIRST_GAP_S = 1
local MAX_GAP_S = 30

---@class gridcentric.Plan
---@field options gridcentric.PaceOptions
---@field pace gridcentric.Pace
---@field held? integer|"paused" by an operator: so many, or as it is
---@field young_deaths integer since the last clone that survived
---@field refusals integer since the last clone that was made
---@field resume_at number no clone is made before; seconds
---@field stopped boolean too many young deaths
---@field why string? of the gap

---@class gridcentric.PlanFacts
---@field ready integer clones that are there and wanted
---@field planned integer clones whose making has not begun
---@field starting integer clones that are being made
---@field connections? integer open ones of users, those that wait for a clone included (0)
---@field can_clone boolean whether there is a program to clone
---@field victims fun(n: integer): gridcentric.Clone[] those to end first, at most n

---@class gridcentric.Actions
---@field wanted integer desired, within bounds
---@field limit string? why there are not as many as desired, or more
---@field create integer clones to plan
---@field drop boolean whether to give up all that are planned: who waits goes to ready ones
---@field retire gridcentric.Clone[] those to end
---@field launch boolean whether to make what is planned now

local AT_ONCE = { cooldown = 0, window = 0, period = 60 }

---What a policy says of the plan.
---@param policy gridcentric.Policy
---@return { min: integer, max: integer, tolerance: number?, up: table?, down: table? }
function plan.options(policy)
	local clones, given = policy.clones, policy.plan
	return {
		min = clones.min, max = clones.max,
		tolerance = given.tolerance, up = given.up, down = given.down,
	}
end

---@param o { min: integer, max: integer, tolerance: number?, up: table?, down: table? }
---@return gridcentric.Plan
function plan.new(o)
	return plan.reset(plan.configure({ pace = pace.new() }, o))
end

---Other bounds and another pace, from now on; what has been is not forgotten.
---@param state gridcentric.Plan
---@param o { min: integer, max: integer, tolerance: number?, up: table?, down: table? }
---@return gridcentric.Plan state
function plan.configure(state, o)
	state.options = {
		min = o.min, max = o.max,
		tolerance = o.tolerance or 0, up = o.up or AT_ONCE, down = o.down or AT_ONCE,
	}
	return state
end

---Holds the plan until it is told otherwise.
---@param state gridcentric.Plan
---@param how? integer|"paused" a number of clones, or nothing is done; nil: no longer
function plan.hold(state, how)
	state.held = how
end

---Forgets deaths and refusals.
---@param state gridcentric.Plan
---@return gridcentric.Plan state
function plan.reset(state)
	state.young_deaths, state.refusals = 0, 0
	state.resume_at, state.stopped, state.why = -math.huge, false, nil
	return state
end

local function is_blocked(state, now)
	return state.stopped or now < state.resume_at
end

---Says why no clone can be made now.
---@param state gridcentric.Plan
---@param now number
---@return string?
function plan.obstacle(state, now)
	if state.stopped then
		return ("%d clones died young: no more are made"):format(state.young_deaths)
	end
	if now < state.resume_at then
		return ("%s: next try in %s"):format(state.why, units.show(state.resume_at - now, "s"))
	end
end

-- How many are wanted, and why not as many as desired. Somebody who is connected gets a first clone
-- whatever the policy says: metrics that only clones report never become known without one.
local function aim(state, now, desired, connections)
	local held, p, o = state.held, state.pace, state.options
	if not held and desired == 0 and connections > 0 and o.max > 0 then
		local wanted, limit = pace.step(p, o, now, 1)
		return wanted, limit or "a first clone for users who are connected"
	end
	if not held then return pace.step(p, o, now, desired) end
	if held == "paused" then return pace.hold(p, o, now, desired), "paused by an operator" end
	return pace.hold(p, o, now, desired, held), ("held at %d by an operator"):format(held)
end

---@param state gridcentric.Plan
---@param now number seconds
---@param desired number
---@param facts gridcentric.PlanFacts
---@return gridcentric.Actions
function plan.step(state, now, desired, facts)
	local wanted, limit = aim(state, now, desired, facts.connections or 0)
	if state.held == "paused" then
		return { wanted = wanted, limit = limit, create = 0, drop = false, retire = {}, launch = false }
	end
	local can_launch = facts.can_clone and not is_blocked(state, now)
	local unmade = wanted - facts.ready - facts.starting
	local missing = unmade - facts.planned
	-- Who comes while no clone can be made is sent to one that is ready. Only if there is none are
	-- more planned, for then it is better to wait in the right place.
	local may_plan = can_launch or facts.ready == 0
	local create = may_plan and math.max(missing, 0) or 0
	local drop = not may_plan and facts.planned > 0
	return {
		wanted = wanted,
		limit = unmade > 0 and plan.obstacle(state, now) or limit,
		create = create,
		drop = drop,
		retire = not drop and missing < 0 and facts.victims(-missing) or {},
		launch = can_launch and facts.starting == 0 and facts.planned + create > 0,
	}
end

-- The n-th gap in a row.
local function pause(state, now, n, why)
	state.resume_at = math.max(state.resume_at, now + math.min(FIRST_GAP_S * 2 ^ (n - 1), MAX_GAP_S))
	state.why = why
end

---All clones of an operation were made.
---@param state gridcentric.Plan
function plan.granted(state)
	state.refusals = 0
end

---No ticket, or not all clones of an operation were made.
---@param state gridcentric.Plan
---@param now number
---@param why string
function plan.refused(state, now, why)
	state.refusals = state.refusals + 1
	pause(state, now, state.refusals, why)
end

---A clone has died by itself.
---@param state gridcentric.Plan
---@param now number
---@param age number seconds since it was ready
---@return string? stopped why from now on no more are made, told once
function plan.died(state, now, age)
	if age >= YOUNG_S then return end
	state.young_deaths = state.young_deaths + 1
	pause(state, now, state.young_deaths, "a clone died young")
	if state.stopped or state.young_deaths < MAX_YOUNG_DEATHS then return end
	state.stopped = true
	return plan.obstacle(state, now)
end

---Whether a clone of this age has proved itself.
---@param age number seconds since it was ready
function plan.is_grown(age)
	return age >= YOUNG_S
end

---A clone has proved itself.
---@param state gridcentric.Plan
function plan.survived(state)
	state.young_deaths, state.stopped = 0, false
end

return plan
