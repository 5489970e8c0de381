-- Asks the engine's program, which knows the state folder and the ledger, so that Lua need not.

local core = require "gridcentric.core"
local json = require "dkjson"

local engine_program = {}

local function quote(text)
	return "'" .. text:gsub("'", "'\\''") .. "'"
end

---Which rows of the ledger.
---@class gridcentric.LedgerFilter
---@field name? string of a service, "chat", or of an engine, "chat-4711"
---@field limit? integer the last so many (all)
---@field after? integer id: only rows behind it
---@field decision? integer events only: a decision and what came of it; 0: all decisions

local FILTERS = { name = "of", limit = "limit", after = "after", decision = "decision" }

local function command_of(path, what, filter)
	local words = { quote(path), "--print", what, "--limit", "0" }
	for key, option in pairs(FILTERS) do
		if filter[key] then
			words[#words + 1] = ("--%s %s"):format(option, quote(tostring(filter[key])))
		end
	end
	return table.concat(words, " ")
end

---What `gridcentric-engine --print WHAT` prints. It says on stderr what is wrong.
---@param what "state"|"tickets"|"domains"|"events"
---@param filter? gridcentric.LedgerFilter
---@return string? text
---@return string? err nil where the program has said it
function engine_program.print(what, filter)
	local path, err = core.engine_path()
	if not path then return nil, err end
	local pipe = assert(io.popen(command_of(path, what, filter or {})))
	local text = pipe:read "a"
	if not pipe:close() then return nil end
	return text
end

---Rows of the ledger, newest last.
---@param what "tickets"|"domains"|"events"
---@param filter? gridcentric.LedgerFilter
---@return table[]? rows
---@return string? err nil where the program has said it
function engine_program.rows(what, filter)
	local text, err = engine_program.print(what, filter)
	if not text then return nil, err end
	local rows, _, wrong = json.decode(text)
	return rows, wrong
end

return engine_program
