-- The commands of gcscale: their arguments, options and texts, as data. From this table come the
-- parser, --help and the completion of shells (parser.lua), and in gcscale(1) the synopsis and the
-- lists of options (.ci/gcscale_manual.lua).
--
-- To add a command: add an entry here and a handler in init.lua; describe it under COMMANDS in
-- man/gcscale.1; run `make generate`.

local values = require "gridcentric.cli.values"
local machine = require("gridcentric.config.schema_app").MACHINE.by_name

---@class gridcentric.CommandOption
---@field [1] string "--name", or "-o --output"
---@field value string? what stands for its value in texts; none: it is a flag
---@field text string sentences; the first one is shown by shells
---@field convert gridcentric.Converter?
---@field default string? as on the command line
---@field target string? the name of the value; none: that of the option
---@field required boolean?
---@field needs string? another option, without which this one makes no sense

---@class gridcentric.CommandArgument
---@field [1] string name of the value
---@field value string what stands for it in texts
---@field text string
---@field convert gridcentric.Converter?
---@field count string? "?": may be left out, "*": any number
---@field choices string[]?

---@class gridcentric.Command
---@field name string
---@field text string one sentence
---@field arguments gridcentric.CommandArgument[]?
---@field options gridcentric.CommandOption[]?
---@field commands gridcentric.Command[]? below this one
---@field synonyms string[]? other words that people try

-- What several commands share ---------------------------------------------------------------------

local POLICY = { "policy", value = "policy.lua", text = "The policy file." }

local VMID = { "vmid", value = "VMID", text = "The clone's number.",
	convert = values.whole_number(1) }

local NAME = { "--name", value = "NAME",
	text = "The service of this name. Where several share a name: NAME-PID, with the process id of "
		.. "the engine, as in the column SERVICE of events. Commands that change something, and "
		.. "record, need it where more than one service is running." }

local JSON = { "--json", text = "Print JSON instead of a table." }

local LIMIT = { "--limit", value = "N", text = "Show the last N at most.",
	convert = values.whole_number(1), default = "50" }

local IMAGE = { "image", value = "FILE", text = "The image." }

local MEMORY = { "--memory", value = "SIZE", text = "Memory of the virtual machine, such as 2G.",
	convert = values.machine "memory", default = machine.memory.default }
local CPUS = { "--cpus", value = "N", text = "CPUs of the virtual machine.",
	convert = values.machine "cpus", default = tostring(machine.cpus.default) }
local ACCEL = { "--accel", value = "HOW",
	text = "How the machine is run: kvm, tcg (emulated), or auto: KVM where it is usable.",
	convert = values.machine "accel", default = machine.accel.default }

-- The commands ------------------------------------------------------------------------------------

---@class gridcentric.CommandGroup
---@field title string
---@field [integer] gridcentric.Command

local SERVICE = { title = "Run a service",
	{
		name = "run", synonyms = { "start", "serve", "up" },
		text = "Run a service until a signal ends it; `gcscale policy.lua` is short for it.",
		arguments = { POLICY },
		options = {
			{ "--listen", value = "HOST:PORT", convert = values.address,
				text = "Where clients connect, instead of where the policy file says." },
			{ "--dry-run", text = "Run no more clones than clones.min, at least one, and report what the "
				.. "policy would do." },
		},
	},
	{
		name = "check", text = "Check a policy file, and show what it would do.",
		synonyms = { "validate", "verify", "test", "lint" },
		arguments = { POLICY },
	},
}

local OBSERVE = { title = "See what it does",
	{
		name = "status", text = "Show the services that are running.", options = { NAME, JSON },
		synonyms = { "list", "ls", "ps", "info", "show" },
	},
	{
		name = "events", text = "Show what happened last.",
		synonyms = { "log", "logs", "history", "journal" },
		options = {
			NAME, LIMIT,
			{ "--follow", text = "Go on with what happens next, until interrupted." },
			JSON,
		},
	},
	{
		name = "tickets", text = "Show the last tickets, granted or not.",
		options = { NAME, LIMIT, JSON },
	},
	{
		name = "why", text = "Explain a decision in words.", synonyms = { "explain" },
		arguments = {
			{ "decision", value = "ID", count = "?", convert = values.whole_number(1),
				text = "Its number; the last one if left out." },
		},
		options = { NAME },
	},
}

local OPERATE = { title = "Change a running service",
	{
		name = "reload", text = "Load the policy file again; a faulty file changes nothing.",
		synonyms = { "restart", "refresh" }, options = { NAME },
	},
	{
		name = "scale", text = "Hold a number of clones until resume.", options = { NAME },
		arguments = {
			{ "clones", value = "N", text = "How many clones.", convert = values.whole_number(0) },
		},
	},
	{
		name = "pause", text = "Make and end no clones until resume.", options = { NAME },
		synonyms = { "freeze", "hold" },
	},
	{
		name = "resume", text = "Let the policy decide again.", options = { NAME },
		synonyms = { "continue", "unpause" },
	},
	{
		name = "drain", text = "End a clone as soon as nothing is under way on it.",
		arguments = { VMID }, options = { NAME },
	},
	{
		name = "kill", text = "End a clone at once.", arguments = { VMID }, options = { NAME },
	},
}

local TRY = { title = "Try policies",
	{
		name = "record", text = "Record a trace of a running service.", synonyms = { "trace" },
		options = {
			NAME,
			{ "-o --output", value = "FILE", default = "-",
				text = "Where to write the trace; - is standard output." },
		},
	},
	{
		name = "replay", text = "Play a trace to one policy, or to several for comparison.",
		synonyms = { "simulate", "play" },
		arguments = {
			POLICY,
			{ "trace", value = "trace.csv", text = "The trace; see gcscale(1)." },
			{ "others", value = "other.lua", count = "*", text = "More policies." },
		},
		options = {
			{ "--svg", value = "FILE", text = "Draw the chart into an SVG file as well." },
			{ "--clone-time", value = "TIME", convert = values.time, default = "5ms",
				target = "clone_s", text = "Time needed to make clones, such as 5ms or 2s." },
			{ "--denials", value = "SHARE", convert = values.share, default = "0", target = "denial",
				text = "Share of the attempts to make clones that are denied, such as 10%." },
			{ "--per-clone", value = "N", convert = values.whole_number(1),
				text = "Users that one clone can serve. Then \"too few clones\" is the time during which "
					.. "more users came; else the time with fewer clones than the policy asked for." },
			{ "--seed", value = "N", convert = values.whole_number(0), default = "1",
				text = "Start of the random numbers for denials and routes. The same number gives the same "
					.. "result." },
			{ "--gaps", text = "Accept rows that are more than a day apart." },
			{ "--json", text = "Print the figures only, as JSON." },
		},
	},
}

local MACHINES = { title = "Virtual machines",
	{
		name = "image", text = "Make and check images of virtual machines.",
		commands = {
			{
				name = "build", text = "Build an image in which a program runs.",
				options = {
					{ "-o --output", value = "FILE", required = true,
						text = "The image. An existing one is replaced once the new one is complete." },
					{ "--app", value = "DIR", required = true,
						text = "Folder of the program, which becomes /app in the image." },
					{ "--program", value = "COMMAND",
						text = "Command that is run in that folder. The default is \"lua5.4 server.lua\" if there "
							.. "is a server.lua." },
					{ "--hooks", value = "DIR",
						text = "Folder with pre-clone, post-clone or both, to be run in the machine; see "
							.. "gridcentric(7)." },
					{ "--kernel", value = "FILE",
						text = "A kernel, or a Debian package of one. The default is the newest cloud kernel that "
							.. "apt knows, which is downloaded but not installed." },
					{ "--disk",
						text = "Make a disk that boots by itself, in QEMU's format qcow2, instead of one file with "
							.. "the kernel and its files." },
					{ "--size", value = "SIZE", convert = values.disk_size, needs = "--disk",
						text = "Size of that disk, such as 2G; the default is 1G. The file takes only the room "
							.. "that is in use." },
				},
			},
			{
				name = "check", text = "Boot an image, and report what is missing in it.",
				arguments = { IMAGE }, options = {
					MEMORY, CPUS, ACCEL,
					{ "--port", value = "N", convert = values.port,
						text = "Port on which the program is to listen. Without it the program may listen on any "
							.. "port, or on none." },
				},
			},
		},
	},
	{
		name = "run-image", text = "Boot a virtual machine whose program scales itself.",
		arguments = { IMAGE },
		options = {
			MEMORY, CPUS, ACCEL,
			{ "--port", value = "N", convert = values.port, default = "80",
				text = "Port on which the program listens in the machine. With 0 it listens nowhere, and "
					.. "the machine is ready when its agent has reported." },
			{ "--forward", value = "HOST:PORT", convert = values.address, needs = "--port",
				text = "Pass connections to this address on to that port." },
			{ "--name", value = "NAME", convert = values.service_name,
				text = "Name of the service. The default is the name of the image without .img." },
		},
	},
}

local OTHER = { title = "Other",
	{
		name = "completion", text = "Print a completion script for a shell.",
		arguments = {
			{ "shell", value = "SHELL", choices = { "bash", "zsh", "fish" },
				text = "bash, zsh or fish." },
		},
	},
}

---@type gridcentric.CommandGroup[]
local GROUPS = { SERVICE, OBSERVE, OPERATE, TRY, MACHINES, OTHER }

local commands = { GROUPS = GROUPS }

---All commands on the first level by name.
---@type table<string, gridcentric.Command>
commands.BY_NAME = {}
for _, group in ipairs(GROUPS) do
	for _, command in ipairs(group) do commands.BY_NAME[command.name] = command end
end

---Calls fn for each command in the table's order; below "image" with "image build".
---@param fn fun(command: gridcentric.Command, full_name: string)
function commands.each(fn)
	local function visit(list, prefix)
		for _, command in ipairs(list) do
			local full_name = prefix .. command.name
			if not command.commands then fn(command, full_name) end
			visit(command.commands or {}, full_name .. " ")
		end
	end
	for _, group in ipairs(GROUPS) do visit(group, "") end
end

---The options that several commands share, in the table's order.
---@return gridcentric.CommandOption[]
function commands.shared_options()
	local uses, shared = {}, {}
	commands.each(function(command)
		for _, option in ipairs(command.options or {}) do
			uses[option] = (uses[option] or 0) + 1
			if uses[option] == 2 then shared[#shared + 1] = option end
		end
	end)
	return shared
end

return commands
