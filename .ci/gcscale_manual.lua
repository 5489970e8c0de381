-- The parts of man/gcscale.1 that are made from the table of commands (cli/commands.lua). In the
-- page they stand between lines such as
--
--	.\" generated: synopsis
--	.\" end of generated
--
-- with these names: `synopsis`; `options COMMAND`, those that only this command has; `options`,
-- those that several commands share. Pure.

local commands = require "gridcentric.cli.commands"

local WIDTH = 79 -- of a line in the source
local BEGIN, END = '.\\" generated: ', '.\\" end of generated\n'

-- Text for mdoc -----------------------------------------------------------------------------------

-- Words that are options or stand for values, as macros; nil for others.
local function macro(word, is_value)
	local bare, punctuation = word:match "^(.-)([.,;:]?)$"
	local mark = bare:match "^%-%-(%l[%l-]*)$" and ".Fl Fl " .. bare:sub(3)
		or is_value[bare] and ".Ar " .. bare:lower() or nil
	return mark and (punctuation == "" and mark or mark .. " " .. punctuation)
end

-- One sentence as lines of mdoc.
local function add_sentence(lines, sentence, is_value)
	local line = ""
	local function flush()
		if line ~= "" then lines[#lines + 1] = line end
		line = ""
	end
	for word in sentence:gmatch "%S+" do
		local marked = macro(word, is_value)
		if marked or #line + #word >= WIDTH then flush() end
		if marked then
			lines[#lines + 1] = marked
		else
			line = line == "" and word or line .. " " .. word
		end
	end
	flush()
end

-- Each sentence begins on a line of its own.
local function add_text(lines, text, is_value)
	for sentence in text:gsub("%. (%u)", ".\n%1"):gmatch "[^\n]+" do
		add_sentence(lines, sentence, is_value)
	end
end

local function value_of(entry)
	local host = entry.value:match "^(HOST):PORT$"
	return host and "Ar host : Ns Ar port" or "Ar " .. entry.value:lower()
end

-- "Fl o | Fl Fl output"
local function flags_of(entry, separator)
	local flags = {}
	for flag in entry[1]:gmatch "%S+" do
		flags[#flags + 1] = flag:find "^%-%-" and "Fl Fl " .. flag:sub(3) or "Fl " .. flag:sub(2)
	end
	return table.concat(flags, separator)
end

-- The synopsis ------------------------------------------------------------------------------------

local function option_usage(option)
	local flag = flags_of(option, "\n"):match "^[^\n]+" -- the first one is enough
	local usage = option.value and flag .. " " .. value_of(option) or flag
	return option.required and "." .. usage or ".Op " .. usage
end

local function argument_usage(argument)
	if argument.choices then return ".Cm " .. table.concat(argument.choices, " | ") end
	local value = "Ar " .. argument.value:lower()
	if argument.count == "*" then return ".Op " .. value .. " ..." end
	return argument.count == "?" and ".Op " .. value or "." .. value
end

local function synopsis()
	local lines = {}
	commands.each(function(command, full_name)
		lines[#lines + 1] = ".Nm"
		lines[#lines + 1] = full_name == "run" and ".Op Cm run" or ".Cm " .. full_name
		for _, option in ipairs(command.options or {}) do lines[#lines + 1] = option_usage(option) end
		for _, argument in ipairs(command.arguments or {}) do
			lines[#lines + 1] = argument_usage(argument)
		end
	end)
	return lines
end

-- Lists of options --------------------------------------------------------------------------------

local function add_option(lines, option)
	local flags = flags_of(option, " , ")
	local value = option.value
	lines[#lines + 1] = ".It " .. (value and flags .. " " .. value_of(option) or flags)
	local is_value = value and { [value] = true } or {}
	add_text(lines, option.text, is_value)
	if option.default and option.default ~= "" then
		lines[#lines + 1] = "The default is " .. option.default .. "."
	end
end

local function list(options)
	local lines = { ".Bl -tag -width Ds" }
	for _, option in ipairs(options) do add_option(lines, option) end
	lines[#lines + 1] = ".El"
	return lines
end

local function own_options(command)
	local is_shared, own = {}, {}
	for _, option in ipairs(commands.shared_options()) do is_shared[option] = true end
	for _, option in ipairs(command.options or {}) do
		if not is_shared[option] then own[#own + 1] = option end
	end
	return own
end

-- The page ----------------------------------------------------------------------------------------

local parts = { synopsis = synopsis }
function parts.options() return list(commands.shared_options()) end
commands.each(function(command, full_name)
	local own = own_options(command)
	if #own > 0 then parts["options " .. full_name] = function() return list(own) end end
end)

---Puts the generated parts into the page.
---@param page string source
---@return string page
return function(page)
	local missing = {}
	for name in pairs(parts) do missing[name] = true end
	local function fill(first, name, last)
		local part = assert(parts[name], "gcscale.1: there is no part " .. name)
		missing[name] = nil
		return first .. table.concat(part(), "\n") .. "\n" .. last
	end
	local block = ("(%s([^\n]+)\n).-(%s)"):format(BEGIN:gsub("%p", "%%%0"), (END:gsub("%p", "%%%0")))
	local filled = page:gsub(block, fill)
	assert(not next(missing), "gcscale.1 lacks a part: " .. tostring(next(missing)))
	return filled
end
