-- Asks the policy's route for a clone. Where that fails, the route that worked last decides; where
-- it has no opinion, or none has worked, the default route does.

local origin = require "gridcentric.policy.origin"
local pool = require "gridcentric.controller.pool"
local random = require "gridcentric.util.random"
local route = require "gridcentric.route"
local view = require "gridcentric.policy.sandbox.view"

local router = {}

---A route, with what it remembers.
---@class gridcentric.RouteInUse
---@field route gridcentric.Route
---@field state gridcentric.RouteState
---@field has_worked boolean

---@class gridcentric.Router
---@field route gridcentric.Route
---@field pool gridcentric.Pool
---@field faults gridcentric.Faults
---@field random gridcentric.Random
---@field used gridcentric.RouteInUse
---@field last_good gridcentric.RouteInUse? of the policy before, for as long as this one fails
local Router = { __name = "gridcentric.router" }
Router.__index = Router

---@class gridcentric.RouterOptions
---@field route gridcentric.Route
---@field pool gridcentric.Pool
---@field faults gridcentric.Faults
---@field seed integer

---@param o gridcentric.RouterOptions
---@return gridcentric.Router
function router.new(o)
	local self = setmetatable({
		pool = o.pool,
		faults = o.faults,
		random = random.new(o.seed),
	}, Router)
	self.default = { route = route.get(route.DEFAULT), state = { random = self.random } }
	self:use(o.route)
	return self
end

---Goes by this route from now on. The policy may change its table; here it stays as it is.
---@param r gridcentric.Route
function Router:use(r)
	r = view.copy(r)
	if self.used and self.used.has_worked then self.last_good = self.used end
	self.route = r
	self.used = { route = r, state = { random = self.random }, has_worked = not r.is_own }
end

-- All but one that has failed. They are another list at each call: what the route has built for the
-- real one stays as it is.
local function without(clones, avoid)
	local function others(list)
		local found = {}
		for _, clone in ipairs(list) do
			if clone ~= avoid then found[#found + 1] = clone end
		end
		return found
	end
	return {
		ready = others(clones.ready), coming = others(clones.coming), version = clones.version,
		is_limited = clones.is_limited,
	}
end

-- The clones as a function of the policy's sees them. It may change what it is given: whatever was
-- written to is replaced the next time.
local function seen_by_policy(self, clones)
	if clones ~= self.pool then
		return {
			ready = view.of_list(clones.ready), coming = view.of_list(clones.coming),
			version = clones.version,
		}
	end
	if not view.is_intact(self.ready) then self.ready = view.of_list(clones.ready) end
	if not view.is_intact(self.coming) then self.coming = view.of_list(clones.coming) end
	return { ready = self.ready, coming = self.coming, version = clones.version }
end

-- The clone that code of the policy's file chose. Returns whether it did not fail.
local function ask_own(self, used, request, clones)
	local r = used.route
	local given, wants_views = clones, not r.sees_pool
	if wants_views then
		request, given = view.copy(request), seen_by_policy(self, clones)
	end
	local ok, chosen = self.faults:call("route", r.pick, request, given, used.state)
	if not ok then return false end
	used.has_worked = true
	if chosen == nil then return true end
	local clone = chosen
	if wants_views then clone = view.origin(chosen) end
	if clone and pool.is_usable(clone) then return true, clone end
	used.has_worked = false
	self.faults:blame("route", ("%s: route returned %s, not one of the clones"):format(
		origin.place(r.pick), clone and "a clone that does not serve" or type(chosen)))
	return false
end

local function ask(self, used, request, clones, is_whole)
	if used.route.is_own then return ask_own(self, used, request, clones) end
	return true, used.route.pick(request, clones, is_whole and used.state or { random = self.random })
end

---Which clone a user goes to; nil: there is none.
---@param request gridcentric.RouteRequest
---@param avoid? gridcentric.Clone one that has just failed
---@return gridcentric.Clone?
function Router:pick(request, avoid)
	local clones, is_whole = self.pool, avoid == nil
	if avoid then clones = without(self.pool, avoid) end
	local used = self.used
	local ok, clone = ask(self, used, request, clones, is_whole)
	if not used.route.is_own then return clone end
	if not ok and self.last_good then
		clone = select(2, ask(self, self.last_good, request, clones, is_whole))
	end
	if clone and clone ~= avoid then return clone end
	return (select(2, ask(self, self.default, request, clones, is_whole)))
end

return router
