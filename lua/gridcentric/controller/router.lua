-- Asks the policy's route for a clone. Where that fails, or has no opinion, the default route
-- decides.

local guard = require "gridcentric.util.guard"
local pool = require "gridcentric.controller.pool"
local random = require "gridcentric.util.random"
local route = require "gridcentric.route"

local router = {}

---@class gridcentric.Router
---@field route gridcentric.Route
---@field pool gridcentric.Pool
---@field faults gridcentric.Faults
---@field random gridcentric.Random
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
		default = route.get(route.DEFAULT),
	}, Router)
	self:use(o.route)
	return self
end

---Goes by this route from now on.
---@param r gridcentric.Route
function Router:use(r)
	self.route = r
	self.state = { random = self.random }
	self.default_state = { random = self.random }
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
	return { ready = others(clones.ready), coming = others(clones.coming), version = clones.version }
end

-- The clone that a function of the policy's chose, if it is one.
local function own_choice(self, request, clones)
	local ok, clone = self.faults:call("route", self.route.pick, request, clones, self.state)
	if not ok or clone == nil then return nil end
	if type(clone) == "table" and pool.is_usable(clone) then return clone end
	self.faults:blame("route", ("%s: route returned %s, not one of the clones"):format(
		guard.place(self.route.pick), type(clone)))
end

---Which clone somebody goes to; nil: there is none.
---@param request gridcentric.RouteRequest
---@param avoid? gridcentric.Clone one that has just failed
---@return gridcentric.Clone?
function Router:pick(request, avoid)
	local clones, state = self.pool, self.state
	if avoid then
		clones, state = without(self.pool, avoid), { random = self.random }
	end
	if not self.route.is_own then return self.route.pick(request, clones, state) end
	local clone = own_choice(self, request, clones)
	if clone and clone ~= avoid then return clone end
	return self.default.pick(request, clones, self.default_state)
end

return router
