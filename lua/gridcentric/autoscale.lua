-- A program that scales itself: one line at its bottom, before the loop runs.
--
--	require("gridcentric.autoscale").setup(80, PORT)
--
-- The program listens on PORT and goes on as it is. Clients connect to port 80, where a proxy in
-- this same process sends them to clones of it, of which there is one for every two users. The
-- program itself serves nobody: it is what clones are made from. The algorithm is that of 2011:
-- each second the list of domains is fetched; if there is less than one clone for every two users,
-- the difference is cloned; who comes new goes to the latest clone.

local async = require "gridcentric.platform.async"
local core = require "gridcentric.core"
local gc = require "gridcentric"
local guard = require "gridcentric.util.guard"
local keys = require "gridcentric.config.keys"
local live = require "gridcentric.live"
local options = require "gridcentric.util.options"
local platform = require "gridcentric.platform"
local policy = require "gridcentric.config.load"
local ratio = require "gridcentric.policy.ratio"

local autoscale = {}

---All of them may be left out. Those that policy files have, too, are described there.
---@class gridcentric.AutoscaleOptions
---@field host? string where to listen ("127.0.0.1"; "*": on all IPv4 addresses)
---@field metric? "sessions"|"connections" what counts as a user (sessions)
---@field per_clone? number users for each clone (2)
---@field min? integer clones kept without any user (0)
---@field max? integer clones at most (16)
---@field log? false|fun(what: string, vmid: integer?, text: string) told what happens (stderr)
---@field scale? gridcentric.Scale instead of metric and per_clone
---@field name? string
---@field mode? "http"|"tcp"
---@field plan? gridcentric.PlanKeys
---@field route? gridcentric.RouteName|gridcentric.Route|gridcentric.Pick
---@field health? gridcentric.HealthKeys
---@field drain? boolean
---@field victim? "fewest"|gridcentric.Victim
---@field on_clone? fun(vmid: integer)
---@field on_event? fun(event: gridcentric.Event)
---@field sticky? "cookie"|"source"|false
---@field session_timeout? number seconds
---@field cookieless_timeout? number seconds
---@field held? gridcentric.HeldKeys
---@field drain_timeout? number seconds
---@field stop_timeout? number seconds
---@field limits? gridcentric.LimitKeys
---@field metrics? table<string, gridcentric.MetricKeys>
---@field on_missing? "hold"|"min"|"max"|gridcentric.Scale
---@field admin? string|integer where /metrics is served

local OPTIONS = {
	host = { options.text() }, -- default: 127.0.0.1; in a virtual machine, which has no other, 0.0.0.0
	metric = { options.one_of("sessions", "connections"), default = "sessions" },
	per_clone = { options.number(0.001), default = 2 },
	min = keys.CLONES.min,
	max = keys.CLONES.max,
	log = { options.any_of("a function or false", options.one_of(false), options.func()) },
}
for key, entry in pairs(keys.SHARED) do OPTIONS[key] = entry end

local function program_name()
	local file = arg and arg[0] and arg[0]:match "[^/]+$" or "lua"
	return (file:gsub("%.lua$", ""))
end

local function to_policy(listen_port, o, given)
	local host = o.host or (core.agent_path() and "0.0.0.0" or "127.0.0.1")
	local p = {
		listen = ("%s:%d"):format(host, listen_port),
		clones = { min = o.min, max = o.max },
	}
	for key in pairs(keys.SHARED) do p[key] = given[key] end
	p.name = p.name or program_name()
	p.scale = p.scale or ratio { metric = o.metric, per_clone = o.per_clone }
	return policy.check(p, keys.INSIDE)
end

local function new_log(choice)
	local function say(text) io.stderr:write("autoscale: ", text, "\n") end
	local function say_event(what, vmid, text) say(text) end
	if choice == nil then choice = say_event end
	return {
		event = guard.protect(choice or function() end, function(err) say("log: " .. err) end),
		error = say,
	}
end

local function check_port(n, port)
	local whole = math.tointeger(port)
	if whole and whole >= 0 and whole <= 65535 then return whole end
	error(("bad argument #%d to 'setup' (port expected, got %s)"):format(n, tostring(port)), 3)
end

---Makes this program scale itself. Raises if it cannot listen. In a program that gcscale started it
---only says so: there it is scaled already.
---@param listen_port integer where clients connect
---@param program_port integer where the program listens
---@param given? gridcentric.AutoscaleOptions
---@return gridcentric.Controller? # with shutdown(callback) and report(); nil under gcscale
function autoscale.setup(listen_port, program_port, given)
	given = given or {}
	local listen = check_port(1, listen_port)
	local port = check_port(2, program_port)
	local o = options.demand(OPTIONS, given, "setup")
	local log = new_log(o.log)
	if async.role() == "domain" then
		log.event("start", nil, "gcscale scales this program")
		return
	end
	local p, wrong = to_policy(listen, o, given)
	if not p then error("setup: " .. wrong, 2) end
	if async.role() == "none" then assert(async.open { role = "inside", name = p.name }) end
	local service, err = live.new(p, platform.inside { port = port }, log,
		{ list_domains = gc.list_domains })
	if not service then error("setup: " .. err, 2) end
	gc.on_clone(function() service:abandon() end)
	service:start(function(ok, why)
		if not ok then return log.error(why) end
		log.event("start", nil, ("listens on %s"):format(service:report().listen))
	end)
	return service
end

return autoscale
