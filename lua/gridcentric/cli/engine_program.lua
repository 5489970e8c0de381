-- Asks the engine's program, which knows the state folder and the ledger, so that Lua need not.

local core = require "gridcentric.core"
local json = require "gridcentric.util.json"
local uv = require "luv"

local engine_program = {}

---Which rows of the ledger.
---@class gridcentric.LedgerFilter
---@field name? string of a service, "chat", or of an engine, "chat-4711"
---@field limit? integer only the last rows (all)
---@field after? integer only rows with a higher id
---@field decision? integer events only: a decision and what followed from it; 0: all decisions

local FILTERS = { name = "--of", limit = "--limit", after = "--after", decision = "--decision" }

local function arguments_of(what, filter)
	local args = { "--print", what, "--limit", "0" }
	for key, option in pairs(FILTERS) do
		if filter[key] then table.move({ option, tostring(filter[key]) }, 1, 2, #args + 1, args) end
	end
	return args
end

-- Calls back once the process has ended and its output has been read.
local function run(path, args, callback)
	local out, pieces, pending, status = uv.new_pipe(false), {}, 2, nil
	local function finish()
		pending = pending - 1
		if pending == 0 then callback(status == 0 and table.concat(pieces) or nil) end
	end
	local handle, err
	handle, err = uv.spawn(path, { args = args, stdio = { nil, out, 2 } }, function(code)
		status = code
		handle:close()
		finish()
	end)
	if not handle then
		out:close()
		return callback(nil, ("%s: %s"):format(path, err))
	end
	out:read_start(function(_, data)
		if data then
			pieces[#pieces + 1] = data
			return
		end
		out:close()
		finish()
	end)
end

---Asks for what `gridcentric-engine --print WHAT` prints. The program reports errors on stderr.
---@param what "state"|"tickets"|"domains"|"events"
---@param filter gridcentric.LedgerFilter
---@param callback fun(text: string?, err: string?) err: nil where the program has reported it
function engine_program.start(what, filter, callback)
	local path, err = core.engine_path()
	if not path then return callback(nil, err) end
	run(path, arguments_of(what, filter), callback)
end

---The same, but blocks: runs the loop, on which nothing else may be going on.
---@param what "state"|"tickets"|"domains"|"events"
---@param filter? gridcentric.LedgerFilter
---@return string? text
---@return string? err
function engine_program.print(what, filter)
	local text, err
	engine_program.start(what, filter or {}, function(...) text, err = ... end)
	uv.run()
	return text, err
end

---Reads rows of the ledger, newest last.
---@param text string as printed
---@return table[]? rows
---@return string? err
function engine_program.read_rows(text)
	local rows, _, err = json.decode(text)
	return rows, err
end

---Rows of the ledger. Blocks.
---@param what "tickets"|"domains"|"events"
---@param filter? gridcentric.LedgerFilter
---@return table[]? rows
---@return string? err
function engine_program.rows(what, filter)
	local text, err = engine_program.print(what, filter)
	if not text then return nil, err end
	return engine_program.read_rows(text)
end

---The state folder. Blocks.
---@return string? dir "" where there is none yet
---@return string? err
function engine_program.state_folder()
	local text, err = engine_program.print "state"
	return text and text:gsub("\n$", ""), err
end

return engine_program
