-- Which clone a new session goes to.
--
--	route = "least"
--	route = hash { by = "header:X-Tenant" }
--	route = function(request, clones, state) return clones.ready[1] end
--
-- A route picks one of the clones, or none if there is none to pick. It is pure: it keeps what it
-- wants to remember in `state`, a table of its own, and takes chance from state.random.
--
-- How to add one: copy least.lua (one that is named) or weighted.lua (one with options) and its
-- part of spec/route/route_spec.lua, and name it here; describe options in schema.lua.

local options = require "gridcentric.util.options"
local origin = require "gridcentric.policy.origin"
local types = require "gridcentric.util.types"

local route = {}

---What is known of who is to be routed. All but the address is nil in tcp mode.
---@class gridcentric.RouteRequest
---@field ip string the client's address
---@field method? string
---@field target? string as it was sent: "/path?query"
---@field host? string
---@field cookie? string the session's, as the client sent it
---@field header? string value of the field that the route names as its `header`

---@class gridcentric.Routable
---@field ready gridcentric.Clone[] those that serve, oldest first
---@field coming gridcentric.Clone[] those that are to be made or are being made, oldest first
---@field version integer another whenever a list has changed
---@field is_limited boolean? whether more clones are wanted than there can be now

---@class gridcentric.RouteState
---@field random gridcentric.Random

---@class gridcentric.Route
---@field name string for messages
---@field pick gridcentric.Pick
---@field header? string the field of a request's head that it looks at
---@field per_request? boolean asked for each request of those who are not known again
---@field is_own? boolean code of the policy's file runs in it, which may fail
---@field sees_pool? boolean it is ours all the same, and needs no views

local NAMED = {
	latest = require "gridcentric.route.latest",
	least = require "gridcentric.route.least",
	round_robin = require "gridcentric.route.round_robin",
	two_choices = require "gridcentric.route.two_choices",
}

---Those that take options; globals of a policy file.
---@type table<string, fun(given: table): gridcentric.Route>
route.READY = {
	hash = require "gridcentric.route.hash",
	weighted = require "gridcentric.route.weighted",
}

route.DEFAULT = "latest"

---For error messages, and for options that are texts.
route.NAMES = { "latest", "least", "round_robin", "two_choices" }

local EXPECTED = ('"%s", hash { }, weighted { } or a function'):format(
	table.concat(route.NAMES, '", "'))

---@param name string one of NAMES
---@return gridcentric.Route
function route.get(name)
	local pick = NAMED[name] or error(("no such route: %s"):format(name), 2)
	return { name = name, pick = pick }
end

local by_name = types.one_of(table.unpack(route.NAMES))

local FIELD = "^[%w!#$%%&'*+.^_`|~-]+$" -- a field's name, as of RFC 9110

-- What one of READY made, or a table of the policy's own.
local function read_table(value)
	if getmetatable(value) ~= nil then value = options.fields(value) or {} end
	local pick, header = value.pick, value.header
	if type(pick) ~= "function" then return types.mismatch(EXPECTED, value) end
	if header ~= nil and not (type(header) == "string" and header:find(FIELD)) then
		return nil, "header: the name of a field expected"
	end
	if origin.is_ready(pick) then return value end
	return {
		name = type(value.name) == "string" and value.name or "table",
		pick = pick, header = header, per_request = value.per_request,
		is_own = true, sees_pool = origin.is_noted(pick),
	}
end

local function read(value)
	if by_name(value) then return route.get(value) end
	for name, make in pairs(route.READY) do
		if value == make then return nil, ("options are missing: %s { ... }"):format(name) end
	end
	if type(value) == "function" then return { name = "function", pick = value, is_own = true } end
	if type(value) == "table" then return read_table(value) end
	return types.mismatch(EXPECTED, value)
end

---The type of the key `route`: text, what one of READY made, or a function becomes a route.
route.type = types.new("name, hash { }, weighted { } or function",
	"gridcentric.RouteName|gridcentric.Route|gridcentric.Pick", read)

return route
