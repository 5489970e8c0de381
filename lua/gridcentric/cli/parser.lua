-- The command line of gcscale, read by argparse as the table in commands.lua says.

local argparse = require "argparse"
local commands = require "gridcentric.cli.commands"
local exit = require "gridcentric.cli.exit"
local suggest = require "gridcentric.util.suggest"

local DESCRIPTION = "Runs a program behind a proxy and clones it with the load."
local EPILOG = "`gcscale COMMAND --help` explains a command; gcscale(1) is the manual.\n"
	.. "Exit status: 0 success, also when a signal ended the service in order; 1 something failed; "
	.. "2 wrong usage; 3 the policy file is wrong; 4 no such service or decision; 128 + n a second "
	.. "signal n ended the service at once."

-- Building ----------------------------------------------------------------------------------------

-- Sets the converter; its errors begin with the name of what is wrong.
local function set_converter(element, entry)
	if not entry.convert then return end
	local name = entry[1]:match "%-%-%S+" or entry.value
	element:convert(function(text)
		local value, err = entry.convert(text)
		if value ~= nil then return value end
		return nil, ("%s: %s"):format(name, err)
	end)
end

local function add_argument(command, entry)
	local is_file = entry.value:find "%l" -- "policy.lua" says more than "policy"
	local argument = command:argument(is_file and entry.value or entry[1], entry.text)
		:target(entry[1]):argname(entry.value)
	if entry.count then argument:args(entry.count) end
	if entry.choices then argument:choices(entry.choices) end
	set_converter(argument, entry)
end

local function add_option(command, entry)
	if not entry.value then return command:flag(entry[1], entry.text) end
	local option = command:option(entry[1], entry.text):argname(entry.value)
	if entry.target then option:target(entry.target) end
	if entry.required then option:count(1) end
	if entry.default then option:default(entry.default) end
	set_converter(option, entry)
end

local function add_command(parser, entry)
	local command = parser:command(entry.name, entry.text)
	for _, argument in ipairs(entry.arguments or {}) do add_argument(command, argument) end
	for _, option in ipairs(entry.options or {}) do add_option(command, option) end
	if entry.commands then command:command_target "subcommand" end
	for _, below in ipairs(entry.commands or {}) do add_command(command, below) end
	return command
end

local function build(version)
	local parser = argparse("gcscale", DESCRIPTION, EPILOG)
	parser:usage_max_width(80):help_max_width(80)
	parser:flag("--version", "Show the version and exit."):action(function()
		print("gcscale " .. version)
		os.exit(exit.OK, true)
	end)
	parser:command_target "command"
	for _, group in ipairs(commands.GROUPS) do
		local members = {}
		for i, entry in ipairs(group) do members[i] = add_command(parser, entry) end
		parser:group(group.title, table.unpack(members))
	end
	function parser:error(text) -- self may be the parser of a command
		io.stderr:write(self:get_usage(), "\n\nError: ", text, "\n")
		os.exit(exit.USAGE, true)
	end
	return parser
end

-- `gcscale policy.lua` ----------------------------------------------------------------------------

local function is_file(path)
	local file = io.open(path)
	return file and file:close()
end

-- The options of `run` that have a value: the word behind one is no command.
local HAS_VALUE, IS_RUN = {}, {}
for _, option in ipairs(commands.BY_NAME.run.options) do
	IS_RUN[option[1]], HAS_VALUE[option[1]] = true, option.value ~= nil
end

-- The first word that is neither an option of `run` nor the value of one; true for an option that
-- `run` does not have.
local function first_word(args)
	local i = 1
	while args[i] do
		local word = args[i]
		if word:sub(1, 1) ~= "-" then return word end
		local name = word:match "^[^=]+"
		if not IS_RUN[name] then return nil end
		i = i + (HAS_VALUE[name] and name == word and 2 or 1)
	end
end

local SYNONYMS = { help = "gcscale --help", version = "gcscale --version",
	stop = "Ctrl-C where it runs, or kill with its process id" }
for name, command in pairs(commands.BY_NAME) do
	for _, synonym in ipairs(command.synonyms or {}) do SYNONYMS[synonym] = name end
end

local function advice(word)
	local meant = SYNONYMS[word] or suggest.nearest(commands.BY_NAME, word)
	return meant and (" (did you mean %s?)"):format(meant) or ""
end

-- `gcscale policy.lua` means run. A word that is neither a command nor looks like a file is a
-- misspelled command.
local function insert_run(parser, args)
	local word = first_word(args)
	if not word or commands.BY_NAME[word] then return end
	if not word:find "[/.]" and not is_file(word) then
		parser:error(("no such command or file: %s%s"):format(word, advice(word)))
	end
	table.insert(args, 1, "run")
end

-- Options that need another one.
local function check_needs(parser, parsed)
	if parsed.forward and parsed.port == 0 then parser:error "--forward needs a --port" end
	if parsed.size and not parsed.disk then parser:error "--size needs --disk" end
end

local function print_completion(parser, shell)
	io.write(parser[("get_%s_complete"):format(shell)](parser))
	os.exit(exit.OK, true)
end

---Reads the command line. Ends the process if it is wrong, or if it asks for help, the version or
---a completion script.
---@param args string[]
---@param version string
---@return table # command, subcommand, and the values of arguments and options by name
return function(args, version)
	args = table.move(args, 1, #args, 1, {})
	local parser = build(version)
	insert_run(parser, args)
	local parsed = parser:parse(args)
	check_needs(parser, parsed)
	if parsed.command == "completion" then print_completion(parser, parsed.shell) end
	return parsed
end
