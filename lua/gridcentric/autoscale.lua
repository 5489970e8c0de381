-- A program that scales itself: one line at its bottom, before the loop runs.
--
--	require("gridcentric.autoscale").setup(80, PORT)
--
-- The program listens on PORT and goes on as it is. Clients connect to port 80, where a proxy in
-- this same process sends them to clones of the program, one for every two users. The program
-- itself serves nobody: it is what clones are made from. The algorithm is that of 2011: each second
-- the list of domains is fetched; if there is less than one clone for every two users, the missing
-- ones are made; a new user goes to the latest clone.

local async = require "gridcentric.platform.async"
local core = require "gridcentric.core"
local gc = require "gridcentric"
local guard = require "gridcentric.util.guard"
local live = require "gridcentric.live"
local options = require "gridcentric.util.options"
local platform = require "gridcentric.platform"
local policy = require "gridcentric.config.load"
local ratio = require "gridcentric.policy.ratio"
local schema = require "gridcentric.config.schema"

local autoscale = {}

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
	for _, key in ipairs(schema.SHARED) do p[key[1]] = given[key[1]] end
	p.name = p.name or program_name()
	p.scale = p.scale or ratio { metric = o.metric, per_clone = o.per_clone }
	return policy.check(p, schema.INSIDE)
end

local function new_log(choice)
	local function write(text) io.stderr:write("autoscale: ", text, "\n") end
	local function write_event(what, vmid, text) write(text) end
	if choice == nil then choice = write_event end
	return {
		event = guard.protect(choice or function() end, function(err) write("log: " .. err) end),
		error = write,
	}
end

local function check_port(n, port)
	local whole = math.tointeger(port)
	if whole and whole >= 0 and whole <= 65535 then return whole end
	error(("bad argument #%d to 'setup' (port expected, got %s)"):format(n, tostring(port)), 3)
end

-- What a program may do with its own service.
---@class gridcentric.Service
local Service = { __name = "gridcentric.Service" }
Service.__index = Service

-- Service -> the controller behind it; not a field, so that nobody comes to rely on it.
local controllers = setmetatable({}, { __mode = "k" })

---The state of the service.
---@return gridcentric.Report
function Service:report()
	return controllers[self]:report()
end

---Ends the service in order: new users are not taken in, connected ones have drain_timeout, then
---all clones end. A second call ends all at once. In a clone it only calls back.
---@param callback? fun() of the first call: all has ended
function Service:shutdown(callback)
	controllers[self]:shutdown(callback)
end

local function start(p, port, log)
	local controller, err = live.new(p, platform.inside { port = port }, log,
		{ list_domains = gc.list_domains })
	if not controller then return nil, err end
	gc.on_clone(function() controller:abandon() end)
	controller:start(function(ok, start_err)
		if not ok then return log.error(start_err) end
		log.event("start", nil, ("listens on %s"):format(controller:report().listen))
	end)
	return controller
end

---Makes this program scale itself. Raises if it cannot listen. In a program that gcscale started it
---only says so: that program is scaled already.
---@param listen_port integer where clients connect
---@param program_port integer where the program listens
---@param given? gridcentric.AutoscaleOptions
---@return gridcentric.Service? service nil under gcscale
function autoscale.setup(listen_port, program_port, given)
	given = given or {}
	local listen = check_port(1, listen_port)
	local port = check_port(2, program_port)
	local o = options.demand(schema.SETUP, given, "setup")
	local log = new_log(o.log)
	if async.role() == "domain" then
		log.event("start", nil, "gcscale scales this program")
		return
	end
	local p, err = to_policy(listen, o, options.fields(given, schema.SETUP))
	if not p then error("setup: " .. err, 2) end
	if async.role() == "none" then assert(async.open { role = "inside", name = p.name }) end
	local controller
	controller, err = start(p, port, log)
	if not controller then error("setup: " .. err, 2) end
	local service = setmetatable({}, Service)
	controllers[service] = controller
	return service
end

return autoscale
