-- The command line of gcscale.

local argparse = require "argparse"
local exit = require "gridcentric.cli.exit"
local host_port = require "gridcentric.host_port"
local options = require "gridcentric.options"
local units = require "gridcentric.policy.units"

local DESCRIPTION = "Runs a program behind a proxy and clones it with the load."
local EPILOG = [[
Exit status: 0 it ended as asked, 1 something failed, 2 wrong usage, 3 the policy file is wrong,
4 nothing runs (by that name), 128 + n a second signal n ended it at once. See gcscale(1).]]

local COMMANDS = {
	run = true, status = true, tickets = true, events = true,
	why = true, check = true, record = true, replay = true,
	reload = true, pause = true, resume = true, scale = true, drain = true, kill = true,
}

-- argparse takes nil and a text for a wrong value.
local function address(text)
	local value, err = host_port.read(text)
	if value then return value end
	return nil, "--listen: " .. err
end

local function whole_number(min)
	return function(text)
		local n = math.tointeger(tonumber(text))
		if n and n >= min then return n end
		return nil, ("a whole number from %d expected, got %q"):format(min, text)
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
		:argname "HOST:PORT":convert(address)
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
	return parser:parse(args)
end
