-- gcscale policy.lua: the service, until a signal ends it.

local app = require "gridcentric.config.app"
local async = require "gridcentric.platform.async"
local boot_line = require "gridcentric.cli.boot_line"
local commands = require "gridcentric.controller.commands"
local dry_run = require "gridcentric.platform.dry_run"
local exit = require "gridcentric.cli.exit"
local guard = require "gridcentric.util.guard"
local journal = require "gridcentric.cli.journal"
local live = require "gridcentric.live"
local platform = require "gridcentric.platform"
local policy = require "gridcentric.config.load"
local uv = require "luv"
local watch = require "gridcentric.live.watch"

local SIGNALS = { sigint = 2, sigterm = 15 }

-- Whether nobody listens there. (libuv tells of a port in use when it listens, not when it binds.)
local function is_free(port)
	local socket = uv.new_tcp()
	local ok = socket:bind("127.0.0.1", port) and socket:listen(1, function() end)
	local found = ok and socket:getsockname().port
	socket:close()
	return found
end

-- One that is free now, for the program. Below those that the kernel gives away by itself: nobody
-- else is likely to get it until the program listens there.
local function free_port()
	local file = io.open "/proc/sys/net/ipv4/ip_local_port_range"
	local low = file and file:read "n" or 32768
	if file then file:close() end
	for _ = 1, 100 do
		local port = low > 20000 and is_free(math.random(10000, low - 1))
		if port then return port end
	end
	return assert(is_free(0))
end

local function greet(p, controller, log)
	local r = controller:report()
	log.event("start", nil, ("%s runs on port %d, to be cloned %d to %d times"):format(
		app.name(p), r.program.port, p.clones.min, p.clones.max))
	if p.is_dry_run then
		log.event("start", nil, ("dry run: it stays at %d; what the policy would do is told only"):format(
			p.clones.max))
	end
	log.event("start", nil, ("%s listens on %s%s"):format(
		p.name, p.mode == "http" and "http://" or "", r.listen))
end

-- The first signal ends the service in order, a second one at once.
local function watch_signals(controller, p, log, finish)
	local seen = false
	for name, number in pairs(SIGNALS) do
		local signal = uv.new_signal()
		signal:start(name, function()
			if seen then
				controller:shutdown()
				return finish(128 + number)
			end
			seen = true
			local n = controller:report().connections
			controller:shutdown(function() finish(exit.OK) end)
			if n > 0 then
				log.event("end", nil, ("ends when %d %s, in %g s at most; a second signal ends it "
					.. "at once"):format(n, n == 1 and "connection has" or "connections have",
					p.drain_timeout))
			end
		end)
	end
end

-- The policy as the file and the command line say it now.
local function load(args)
	local p, wrong = policy.load(args.policy)
	if not p then return nil, wrong end
	p.listen = args.listen or p.listen
	return args.dry_run and dry_run.of(p) or p
end

-- Has the policy loaded anew at SIGHUP and, if it says so, when its file changes. What comes of it
-- is told as an event.
local function watch_policy(controller, args, log)
	local function reload() commands.run(controller, { command = "reload" }) end
	uv.new_signal():start("sighup", guard.protect(reload, log.error))
	local function on_change()
		if controller.policy.watch then reload() end
	end
	local _, err = watch.file(args.policy, guard.protect(on_change, log.error))
	if err and controller.policy.watch then log.error("the policy file is not watched: " .. err) end
end

-- A policy that fails before anybody came would leave everybody waiting.
local function first_answer(p, controller)
	return policy.decide(p, controller.clock.now(), controller.sample(), {}, p.clones.min)
end

-- What has the program started and cloned, as the policy's backend has it.
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

---@param args { policy: string, listen: gridcentric.Address?, dry_run: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	local p, wrong = load(args)
	if not p then return exit.fail(exit.POLICY, wrong) end
	local log = journal.new(terminal)
	local owned, err = new_platform(p)
	if not owned then return exit.fail(exit.FAILED, err) end
	-- It listens before the program is started: an address in use is told at once.
	local controller
	controller, err = live.new(p, owned, log, { load = function() return load(args) end })
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
	watch_policy(controller, args, log)
	if p.backend == "qemu" then stop_line = boot_line.start(terminal, app.name(p)) end
	controller:start(function(ok, why)
		stop_line()
		if ok then return greet(p, controller, log) end
		log.error("the program cannot be started: " .. why)
		status = exit.FAILED
		controller:shutdown(finish)
	end)
	async.hold()
	uv.run()
	return status
end
