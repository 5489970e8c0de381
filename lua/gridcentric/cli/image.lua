-- gcscale image: builds and checks images of virtual machines.

local boot_line = require "gridcentric.cli.boot_line"
local build = require "gridcentric.image.build"
local check = require "gridcentric.image.check"
local exit = require "gridcentric.cli.exit"
local progress = require "gridcentric.cli.progress"
local units = require "gridcentric.util.units"
local uv = require "luv"

local SIGNALS = { sigint = 2, sigterm = 15, sighup = 1 }

local commands = {}

-- Ends the work in order at a signal, since there is something to clean up. Returns a table that
-- gets the signal's number.
local function watch_signals(stop)
	local seen = {}
	for name, number in pairs(SIGNALS) do
		local signal = uv.new_signal()
		signal:start(name, function()
			seen.number = number
			stop()
		end)
		signal:unref()
	end
	return seen
end

local function summary(path, made)
	local memory = made.initrd_bytes
		and ("; files in memory: %s"):format(units.show(made.initrd_bytes, "B")) or ""
	return ("%s: %s; kernel %s%s; runs %s"):format(path, units.show(made.bytes, "B"), made.kernel,
		memory, table.concat(made.program, " "))
end

function commands.build(args, terminal)
	local shown = progress.new(terminal, build.STEPS)
	local made, err, job
	local seen = watch_signals(function() job:stop() end)
	job = build.start({
		output = args.output, app = args.app, program = args.program, disk = args.disk,
		size = args.size, kernel = args.kernel, hooks = args.hooks,
	}, shown, function(...) made, err = ... end)
	uv.run()
	shown.finish(not made)
	if made then
		print(summary(args.output, made))
		return exit.OK
	end
	if seen.number then return 128 + seen.number end
	return exit.fail(exit.FAILED, err)
end

function commands.check(args, terminal)
	local name = args.image:match "[^/]*$"
	local stop_line, ok, why
	local function say(text)
		stop_line()
		print(("%s: %s"):format(name, text))
	end
	local started, err = check.start(args, say, function(...) ok, why = ... end)
	if not started then return exit.fail(exit.FAILED, err) end
	stop_line = boot_line.start(terminal, name)
	local seen = watch_signals(function() started:stop() end)
	uv.run()
	stop_line()
	if ok then return exit.OK end
	if seen.number then return 128 + seen.number end
	return exit.fail(exit.FAILED, ("%s: %s"):format(name, why))
end

---@param args { subcommand: string }
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	return commands[args.subcommand](args, terminal)
end
