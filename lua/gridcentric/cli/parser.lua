-- The command line of gcscale.

local argparse = require "argparse"
local exit = require "gridcentric.cli.exit"
local host_port = require "gridcentric.util.host_port"
local options = require "gridcentric.util.options"
local units = require "gridcentric.util.units"
local vm_keys = require "gridcentric.config.vm_keys"

local DESCRIPTION = "Runs a program behind a proxy and clones it with the load."
local EPILOG = [[
Exit status: 0 it ended as asked, 1 something failed, 2 wrong usage, 3 the policy file is wrong,
4 nothing runs (by that name), 128 + n a second signal n ended it at once. See gcscale(1).]]

local COMMANDS = {
	run = true, status = true, tickets = true, events = true,
	why = true, check = true, record = true, replay = true,
	reload = true, pause = true, resume = true, scale = true, drain = true, kill = true,
	image = true, ["run-image"] = true,
}

-- As QEMU has them.
local DISK_SIZE = { M = 1024 ^ 2, G = 1024 ^ 3, T = 1024 ^ 4 }
for unit, worth in pairs(units.SIZE) do DISK_SIZE[unit] = worth end

-- argparse takes nil and a text for a wrong value.
local function address(option)
	return function(text)
		local value, err = host_port.read(text)
		if value then return value end
		return nil, ("%s: %s"):format(option, err)
	end
end

local function whole_number(min)
	return function(text)
		local n = math.tointeger(tonumber(text))
		if n and n >= min then return n end
		return nil, ("a whole number from %d expected, got %q"):format(min, text)
	end
end

-- What a policy file has as a key, here as an option.
local function key(option, entry, is_number)
	return function(text)
		local value, err = entry[1](is_number and tonumber(text) or text)
		if value ~= nil then return value end
		return nil, ("%s: %s"):format(option, err)
	end
end

-- "5ms" or "0.005", from 0 to a limit.
local function quantity(expected, known, most)
	return function(text)
		local value = tonumber(text) or units.read(text, known)
		if value and value >= 0 and value <= most then return value end
		return nil, ("%s expected, got %q"):format(expected, text)
	end
end

local function add_query(parser, name, description)
	local command = parser:command(name, description)
	command:option("--name", "Only of the service of this name."):argname "NAME"
	command:flag("--json", "As one JSON array.")
	return command
end

local function add_history(parser, name, description)
	local command = add_query(parser, name, description)
	command:option("--limit", "At most so many."):argname "N":convert(whole_number(1)):default "50"
	return command
end

local function add_policy(command)
	command:argument("policy", "The policy file."):argname "policy.lua"
end

local function add_run(parser)
	local run = parser:command("run", "Runs a policy file; `gcscale policy.lua` is short for it.")
	add_policy(run)
	run:option("--listen", "Where clients connect, instead of what the file says.")
		:argname "HOST:PORT":convert(address "--listen")
	run:flag("--dry-run", "Makes no clones but clones.min (at least 1); tells what it would do.")
end

-- What explains and tries policies.
local function add_trials(parser)
	local why = parser:command("why", "Explains a decision, the last one unless another is named.")
	why:argument("decision", "Its number."):argname "ID":args "?":convert(whole_number(1))
	why:option("--name", "Of the service of this name."):argname "NAME"
	add_policy(parser:command("check", "Says whether a policy file is right, and what it would do."))
	local record = parser:command("record", "Writes a trace of a service that runs.")
	record:option("--name", "The service of this name, where several run."):argname "NAME"
	record:option("-o --output", "Where to; - is standard output."):argname "FILE":default "-"
	local replay = parser:command("replay", "Plays a trace before one or more policies.")
	add_policy(replay)
	replay:argument("trace", "The trace, see gcscale(1)."):argname "trace.csv"
	replay:argument("others", "Policies to compare it with."):argname "other.lua":args "*"
	replay:option("--svg", "Draws the chart into this file, too."):argname "FILE"
	replay:option("--clone-time", "That clones take, as 5ms."):target "clone_s":argname "TIME"
		:convert(quantity("a time as 5ms", units.TIME, 3600)):default "5ms"
	replay:option("--denials", "Share of the tries to clone that are denied, as 10%."):target "denial"
		:argname "SHARE":convert(quantity("a share as 10%", units.SHARE, 1)):default "0"
	replay:option("--per-clone", "Sessions for which a clone suffices; else the policy says.")
		:argname "N":convert(whole_number(1))
	replay:option("--seed", "Of what is left to chance."):argname "N"
		:convert(whole_number(0)):default "1"
	replay:flag("--json", "The numbers as one JSON array.")
end

-- What is told to one service that runs.
local function add_order(parser, name, description)
	local command = parser:command(name, description)
	command:option("--name", "The service of this name, where several run."):argname "NAME"
	return command
end

local function add_orders(parser)
	add_order(parser, "reload", "Loads the policy file anew; if it is wrong, the old one stays.")
	add_order(parser, "pause", "Neither makes nor ends clones until resume.")
	add_order(parser, "resume", "Lets the policy decide again.")
	add_order(parser, "scale", "Holds a number of clones until resume.")
		:argument("clones", "How many."):argname "N":convert(whole_number(0))
	add_order(parser, "drain", "Ends a clone once its connections are over.")
		:argument("vmid", "Its number."):argname "VMID":convert(whole_number(1))
	add_order(parser, "kill", "Ends a clone at once.")
		:argument("vmid", "Its number."):argname "VMID":convert(whole_number(1))
end

-- A machine, where no policy file says it.
local function add_machine(command)
	command:argument("image", "The image."):argname "FILE"
	command:option("--memory", "Of the machine, as 256M or 2G.")
		:argname "SIZE":convert(key("--memory", vm_keys.memory)):default(vm_keys.memory.default)
	command:option("--cpus", "Of the machine.")
		:argname "N":convert(key("--cpus", vm_keys.cpus, true)):default "1"
	command:option("--accel", "auto, kvm or tcg: by KVM, or emulated.")
		:argname "HOW":convert(key("--accel", vm_keys.accel)):default(vm_keys.accel.default)
end

local function port(text)
	local n = math.tointeger(tonumber(text))
	if n and n >= 0 and n <= 65535 then return n end
	return nil, ("--port: a port expected, got %q"):format(text)
end

local function service(text)
	if text:find "^%w[%w._-]*$" then return text end
	return nil, ("--name: a name of letters, digits, dots, - and _ expected, got %q"):format(text)
end

local function add_run_image(parser)
	local run = parser:command("run-image", "Boots a virtual machine whose program scales itself.")
	add_machine(run)
	run:option("--port", "Where the program listens in the machine; 0: nowhere.")
		:argname "N":convert(port):default "80"
	run:option("--forward", "Passes connections on from here to that port.")
		:argname "HOST:PORT":convert(address "--forward")
	run:option("--name", "For gcscale status; the image's, unless told.")
		:argname "NAME":convert(service)
end

local function disk_size(text)
	local bytes = units.read(text, DISK_SIZE)
	if bytes and bytes >= 2 ^ 20 and bytes <= 2 ^ 41 then return math.floor(bytes) end
	return nil, ("--size: a size as 2G expected, got %q"):format(text)
end

local function add_image(parser)
	local image = parser:command("image", "Makes images of virtual machines.")
	image:command_target "image_command"
	local build = image:command("build", "Builds an image in which a program runs.")
	build:option("-o --output", "The image."):argname "FILE":count(1)
	build:option("--app", "The program's folder."):argname "DIR":count(1)
	build:option("--program", "Its command, run in that folder, as \"lua5.4 server.lua\"; that is "
		.. "what runs unless told, where there is a server.lua."):argname "COMMAND"
	build:option("--hooks", "A folder with pre-clone, post-clone or both, to be run in the machine.")
		:argname "DIR"
	build:option("--kernel", "A kernel, or a Debian package of one (the newest that apt has).")
		:argname "FILE"
	build:flag("--disk", "A disk that boots by itself (qcow2), instead of kernel and files in one.")
	build:option("--size", "The disk's, as 2G; it needs less as long as it is not full (1G).")
		:argname "SIZE":convert(disk_size)
	add_machine(image:command("check", "Boots an image, and says what is missing in it."))
end

local function build(version)
	local parser = argparse("gcscale", DESCRIPTION, EPILOG)
	parser:usage_max_width(100):help_max_width(100)
	parser:flag("--version", "Shows the version."):action(function()
		print("gcscale " .. version)
		os.exit(exit.OK)
	end)
	parser:command_target "command"
	add_run(parser)
	add_query(parser, "status", "Shows what runs.")
	add_history(parser, "tickets", "Shows the last tickets.")
	add_history(parser, "events", "Shows what happened last.")
		:flag("--follow", "Goes on with what happens, each event on a line.")
	add_trials(parser)
	add_orders(parser)
	add_run_image(parser)
	add_image(parser)
	function parser:error(text) -- self may be the parser of a command
		io.stderr:write(self:get_usage(), "\n\nError: ", text, "\n")
		os.exit(exit.USAGE)
	end
	return parser
end

local function exists(path)
	local file = io.open(path)
	return file and file:close()
end

-- The first word that is no option; nil if there is none.
local function first_word(args)
	for _, arg in ipairs(args) do
		if not arg:find "^%-" then return arg end
	end
end

-- `gcscale policy.lua` means run. A word that is neither a command nor a file is a command
-- misspelled.
local function insert_run(parser, args)
	local word = first_word(args)
	if not word or COMMANDS[word] then return end
	if word:find "^%l+$" and not exists(word) then
		parser:error(("no command and no file: %s (did you mean %s?)"):format(
			word, options.nearest(COMMANDS, word)))
	end
	table.insert(args, 1, "run")
end

---Reads the command line; ends the process if it is wrong, or asks for help or the version.
---@param args string[]
---@param version string
---@return table # command, and what belongs to it
return function(args, version)
	args = table.move(args, 1, #args, 1, {})
	local parser = build(version)
	insert_run(parser, args)
	local parsed = parser:parse(args)
	if parsed.forward and parsed.port == 0 then parser:error "--forward needs a --port" end
	if parsed.size and not parsed.disk then parser:error "--size is for a --disk" end
	return parsed
end
