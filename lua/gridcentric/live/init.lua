-- A controller in the real world: with luv's clock, the core's proxy, the kernel's figures about
-- processes, and session keys that nobody can guess.

local admin = require "gridcentric.live.admin"
local clock = require "gridcentric.live.clock"
local controller = require "gridcentric.controller"
local core = require "gridcentric.core"
local exposition = require "gridcentric.metrics.exposition"
local families = require "gridcentric.controller.metric_families"
local guard = require "gridcentric.util.guard"
local http_get = require "gridcentric.live.http_get"
local probe = require "gridcentric.live.probe"
local procfs = require "gridcentric.live.procfs"
local proxy = require "gridcentric.proxy"

local live = {}

local function heap()
	return collectgarbage "count" * 1024
end

local function new_instruments(platform, on_error)
	local function fetch(target, limits, callback)
		return http_get(target, limits, guard.protect(callback, on_error))
	end
	return {
		cpu_time = procfs.cpu_time,
		private_memory = procfs.private_memory,
		fetch = fetch,
		heap = platform.kind == "inside" and heap or nil, -- otherwise the program reports it
	}
end

local function open_admin(where, service, on_error)
	return admin.open(where, {
		["/metrics"] = function()
			return exposition.render(families.of(service:report(), service.metrics)), exposition.CONTENT_TYPE
		end,
	}, on_error)
end

---Listens; the controller still has to be started. Fails if it cannot listen on an address of the
---policy.
---@param policy gridcentric.Policy
---@param platform gridcentric.Platform
---@param log gridcentric.Log
---@param more? table { list_domains =, load =, find_listeners = } of gridcentric.ControllerOptions
---@return gridcentric.Controller?
---@return string? err
---@return string? code
function live.new(policy, platform, log, more)
	more = more or {}
	local listener, err, code = proxy.open(policy, log.error)
	if not listener then return nil, err, code end
	local secret = core.session_key()
	local service = controller.new {
		policy = policy,
		platform = platform,
		proxy = listener,
		clock = clock.new(log.error),
		log = log,
		new_key = function() return core.session_new(secret) end,
		is_key = function(value) return core.session_check(secret, value) end,
		instruments = new_instruments(platform, log.error),
		check_clone = probe,
		seed = core.random(),
		list_domains = more.list_domains,
		load = more.load,
		find_listeners = more.find_listeners,
	}
	if policy.admin then
		service.admin, err, code = open_admin(policy.admin, service, log.error)
		if not service.admin then
			listener:close()
			return nil, err, code
		end
	end
	return service
end

return live
