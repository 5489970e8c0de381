-- gcscale tickets, events: what the ledger remembers.

local columns = require "gridcentric.cli.columns"
local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local printable = require "gridcentric.util.printable"

local history = {}

local NARROW = 72 -- columns; with fewer, an event takes two lines or more

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

local function cells_of(what, record)
	local cells = {}
	for i, column in ipairs(SHOWN[what]) do cells[i] = cell(record, column) end
	return cells
end

-- An event on lines that a narrow terminal can show.
local function stacked(event, width)
	local at, engine, what, vmid, text = table.unpack(cells_of("events", event))
	local head = ("%s  %s  %s%s"):format(at:match " (.*)%.", what, vmid ~= "" and vmid .. "  " or "",
		engine)
	local lines = columns.wrap(head, width)
	local more = columns.wrap(text, math.max(width - 2, 1), "  ")
	return table.move(more, 1, #more, #lines + 1, lines)
end

local function is_narrow(width)
	return width and width < NARROW
end

---@param what "tickets"|"events"
---@param records table[] of the ledger
---@param width integer? of the terminal
---@return string[] lines
function history.lines(what, records, width)
	if what == "events" and is_narrow(width) then
		local lines = {}
		for _, record in ipairs(records) do
			local more = stacked(record, width)
			table.move(more, 1, #more, #lines + 1, lines)
		end
		return lines
	end
	local rows = {}
	for i, record in ipairs(records) do rows[i] = cells_of(what, record) end
	return columns.lay_out(SHOWN[what], rows, width)
end

---One event by itself: what comes later may be wider.
---@param event table
---@param width integer? of the terminal
---@return string
function history.line(event, width)
	if is_narrow(width) then return table.concat(stacked(event, width), "\n") end
	local cells = cells_of("events", event)
	if cells[4] == "" then cells[4] = "-" end
	return ("%s  %-14s  %-12s  %5s  %s"):format(table.unpack(cells))
end

---@param what "tickets"|"events"
---@param args { name: string?, limit: integer, json: boolean?, follow: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
function history.run(what, args, terminal)
	if args.follow then return require "gridcentric.cli.follow"(args, terminal) end
	local records, err = engine_program.rows(what, { name = args.name, limit = args.limit })
	if not records then return exit.fail(exit.FAILED, err) end
	if args.json then
		print(json.encode(json.array(records)))
	else
		print(table.concat(history.lines(what, records, terminal.width), "\n"))
	end
	return exit.OK
end

return history
