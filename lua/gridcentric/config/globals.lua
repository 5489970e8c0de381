-- What a policy file finds as globals beside Lua's own: ready policies, combinators and routes.

local route = require "gridcentric.route"

---@type table<string, function>
local globals = {
	budget = require "gridcentric.policy.budget",
	ratio = require "gridcentric.policy.ratio",
	rules = require "gridcentric.policy.rules",
	schedule = require "gridcentric.policy.schedule",
	step = require "gridcentric.policy.step",
	target = require "gridcentric.policy.target",
	clamp = require "gridcentric.policy.clamp",
	during = require "gridcentric.policy.during",
	first_of = require "gridcentric.policy.first_of",
	max_of = require "gridcentric.policy.max_of",
	min_of = require "gridcentric.policy.min_of",
}
for name, make in pairs(route.READY) do globals[name] = make end

return globals
