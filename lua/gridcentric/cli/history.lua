-- gcscale tickets, events: what the ledger remembers.

local columns = require "gridcentric.cli.columns"
local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local json = require "dkjson"
local printable = require "gridcentric.util.printable"
local uv = require "luv"

local history = {}

local FOLLOW_MS = 300

local function time(ms)
	return os.date("%Y-%m-%d %H:%M:%S", ms // 1000) .. (".%03d"):format(ms % 1000)
end

-- Decisions have a number, by which `gcscale why` explains them.
local function event_name(what, event)
	local is_numbered = what == "decision" and type(event.json) == "table" and event.json.id
	return is_numbered and ("decision %d"):format(event.json.id) or what
end

-- What is shown of a row: its key in the ledger, the title, how.
local SHOWN = {
	tickets = {
		{ "created", title = "TIME", show = time }, { "engine", title = "SERVICE" },
		{ "uuid", title = "TICKET" }, { "status", title = "STATUS" },
		{ "cpus", title = "CPUS", right = true }, { "vms", title = "VMS", right = true },
		{ "owner", title = "OWNER", right = true },
	},
	events = {
		{ "at", title = "TIME", show = time }, { "engine", title = "SERVICE" },
		{ "what", title = "EVENT", show = event_name }, { "vmid", title = "CLONE", right = true },
		{ "text", title = "TEXT" },
	},
}

-- One line, whatever a program put into it.
local function cell(record, column)
	local value, show = record[column[1]], column.show
	if value == nil or value == json.null then return "" end
	if math.type(value) == "float" then value = math.tointeger(value) or value end
	return printable.line(tostring(show and show(value, record) or value))
end

---@param what "tickets"|"events"
---@param records table[] of the ledger
---@param width integer? of the terminal
---@return string[] lines
function history.lines(what, records, width)
	local titles, rows = SHOWN[what], {}
	for i, record in ipairs(records) do
		rows[i] = {}
		for j, column in ipairs(titles) do rows[i][j] = cell(record, column) end
	end
	return columns.lay_out(titles, rows, width)
end

---One event as a line by itself: what comes later may be wider.
---@param event table
---@return string
function history.line(event)
	local cells = {}
	for i, column in ipairs(SHOWN.events) do cells[i] = cell(event, column) end
	if cells[4] == "" then cells[4] = "-" end
	return ("%s  %-14s  %-12s  %5s  %s"):format(table.unpack(cells))
end

-- Whether all of them could be written: nobody may be reading any more.
local function write_events(events, as_json)
	for _, event in ipairs(events) do
		local line = as_json and json.encode(event) or history.line(event)
		if not io.stdout:write(line, "\n") then return false end
	end
	return io.stdout:flush() ~= nil
end

-- Asks the ledger again and again: it has what engines wrote that run, have ended, or are to come.
local function follow(args)
	local filter = { name = args.name, limit = args.limit }
	while true do
		local events, err = engine_program.rows("events", filter)
		if not events then return exit.fail(exit.FAILED, err) end
		if not write_events(events, args.json) then return exit.OK end
		if #events > 0 then filter.after = math.tointeger(events[#events].id) end
		filter.limit = nil
		uv.sleep(FOLLOW_MS)
	end
end

---@param what "tickets"|"events"
---@param args { name: string?, limit: integer, json: boolean?, follow: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
function history.run(what, args, terminal)
	if args.follow then return follow(args) end
	local records, err = engine_program.rows(what, { name = args.name, limit = args.limit })
	if not records then return exit.fail(exit.FAILED, err) end
	if args.json then
		print(json.encode(setmetatable(records, { __jsontype = "array" })))
	else
		print(table.concat(history.lines(what, records, terminal.width), "\n"))
	end
	return exit.OK
end

return history
