-- gcscale policy.lua: the service, until a signal ends it.

local app = require "gridcentric.config.app"
local async = require "gridcentric.platform.async"
local boot_line = require "gridcentric.cli.boot_line"
local dry_run = require "gridcentric.platform.dry_run"
local exit = require "gridcentric.cli.exit"
local gc = require "gridcentric"
local guard = require "gridcentric.util.guard"
local journal = require "gridcentric.cli.journal"
local live = require "gridcentric.live"
local platform = require "gridcentric.platform"
local output = require "gridcentric.cli.output"
local plural = require "gridcentric.util.plural"
local policy = require "gridcentric.config.load"
local procfs = require "gridcentric.live.procfs"
local terminal = require "gridcentric.cli.terminal"
local units = require "gridcentric.util.units"
local uv = require "luv"
local watch = require "gridcentric.live.watch"

local SIGNALS = { sigint = 2, sigterm = 15 }
local SIGHUP = 1
local LOWEST_PORT = 10000 -- that a program gets

-- Whether nobody listens there. (libuv reports a port in use when it listens, not when it binds.)
local function is_free(port)
	local socket = uv.new_tcp()
	local ok = socket:bind("127.0.0.1", port) and socket:listen(1, function() end)
	local found = ok and socket:getsockname().port
	socket:close()
	return found
end

-- A free port for the program, below those that the kernel hands out by itself: nobody else is
-- likely to get it before the program listens there.
local function free_port()
	local file = io.open "/proc/sys/net/ipv4/ip_local_port_range"
	local low = file and file:read "n" or 32768
	if file then file:close() end
	for _ = 1, 100 do
		-- from the kernel: Lua seeds its own generator by the second
		local random = string.unpack("I4", (uv.random(4)))
		local port = low > 20000 and is_free(LOWEST_PORT + random % (low - LOWEST_PORT))
		if port then return port end
	end
	return assert(is_free(0))
end

-- "1 to 4 clones"
local function clone_range(clones)
	if clones.min == clones.max then return plural.count(clones.min, "clone") end
	return ("%d to %s"):format(clones.min, plural.count(clones.max, "clone"))
end

local function greet(p, controller, log)
	local r = controller:report()
	log.event("start", nil, ("%s is running on port %d, with %s"):format(
		app.name(p), r.program.port, clone_range(p.clones)))
	if p.is_dry_run then
		log.event("start", nil, ("dry run: the number of clones stays at %d; what the policy would do "
			.. "is only reported"):format(p.clones.max))
	end
	log.event("start", nil, ("%s listens on %s%s"):format(
		p.name, p.mode == "http" and "http://" or "", r.listen))
end

-- The policy as the file and the command line say it now.
local function load(args)
	local p, wrong = policy.load(args.policy)
	if not p then return nil, wrong end
	p.listen = args.listen or p.listen
	return args.dry_run and dry_run.of(p) or p
end

-- Signals -----------------------------------------------------------------------------------------

local function on_signal(name, log, fn)
	uv.new_signal():start(name, guard.protect(fn, log.error))
end

-- Ends the service in order the first time that it is called, and at once the second time.
local function new_ending(controller, p, log, finish)
	local is_ending = false
	return function(number)
		if is_ending then
			controller:shutdown()
			return finish(128 + number)
		end
		is_ending = true
		local n = controller:report().connections
		controller:shutdown(function() finish(exit.OK) end)
		if n > 0 then
			log.event("end", nil, ("ends when %s ended, in %s at most; a second signal ends it "
				.. "at once"):format(n == 1 and "1 connection has" or ("%d connections have"):format(n),
				units.show(p.drain_timeout, "s")))
		end
	end
end

local function watch_signals(controller, p, log, finish)
	local end_service = new_ending(controller, p, log, finish)
	for name, number in pairs(SIGNALS) do
		on_signal(name, log, function() end_service(number) end)
	end
	-- A terminal that is closed ends what was started on it; a daemon is to load its file again.
	local on_hangup = terminal.is_attached() and function() end_service(SIGHUP) end
		or function() controller:reload() end
	on_signal("sighup", log, on_hangup)
end

-- Loads the policy again when its file changes, if it says so.
local function watch_file(controller, args, log)
	local function on_change()
		if controller.policy.watch then controller:reload() end
	end
	local _, err = watch.file(args.policy, guard.protect(on_change, log.error))
	if err and controller.policy.watch then log.error("the policy file is not watched: " .. err) end
end

-- Starting ----------------------------------------------------------------------------------------

-- A policy that fails before the first user came would leave all users waiting.
local function first_answer(p, controller)
	return policy.decide(p, controller.clock.now(), controller.sample(), {}, p.clones.min)
end

-- What starts and clones the program, by the policy's backend.
local function new_platform(p)
	if p.backend == "qemu" then
		return platform.vm {
			name = p.name, image = p.app.image, port = p.app.port, memory = p.app.memory,
			cpus = p.app.cpus, accel = p.app.accel, network = p.app.network,
			spare = p.app.spare,
		}
	end
	return platform.outside {
		name = p.name, script = p.app.script, args = p.app.args, port = p.app.port or free_port(),
		dir = p.app.dir,
	}
end

-- Where the program listens, as the kernel says it: it may not be where it is expected.
local function find_listeners(callback)
	gc.list_domains(function(domains)
		local found = {}
		for _, domain in ipairs(domains or {}) do
			if domain.vmid == 0 then found = procfs.listeners(domain.pid) end
		end
		callback(found[1] and procfs.show_listeners(found))
	end)
end

-- What the controller needs besides.
local function more_of(p, args)
	return {
		load = function() return load(args) end,
		find_listeners = p.backend == "fork" and find_listeners or nil,
	}
end

---@param args { policy: string, listen: gridcentric.Address?, dry_run: boolean? }
---@param stdout gridcentric.Terminal
---@return integer exit status
return function(args, stdout)
	local p, wrong = load(args)
	if not p then return exit.fail(exit.POLICY, wrong) end
	local log = journal.new(stdout)
	local owned, err = new_platform(p)
	if not owned then return exit.fail(exit.FAILED, err) end
	-- A machine writes on its console instead.
	local captured = p.backend == "fork" and output.capture(async.core(), log)
	-- It listens before the program is started: an address in use is reported at once.
	local controller
	controller, err = live.new(p, owned, log, more_of(p, args))
	if not controller then return exit.fail(exit.FAILED, err) end
	local desired, fault = first_answer(p, controller)
	if not desired then return exit.fail(exit.POLICY, fault) end
	local status
	local stop_line = function() end
	local function finish(result)
		stop_line()
		status = status or result
		uv.stop()
	end
	watch_signals(controller, p, log, finish)
	watch_file(controller, args, log)
	if p.backend == "qemu" then stop_line = boot_line.start(stdout, app.name(p)) end
	controller:start(function(ok, why)
		stop_line()
		if ok then return greet(p, controller, log) end
		log.error("the program cannot be started: " .. why)
		status = exit.FAILED
		controller:shutdown(finish)
	end)
	async.hold()
	uv.run()
	if captured then captured:drain() end
	return status
end
