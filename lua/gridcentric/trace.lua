-- Traces: the load over time, as CSV. `gcscale record` writes them, `gcscale replay` plays them,
-- and anybody can write one by hand:
--
--	at,sessions
--	0,0
--	10,25
--	3600,3
--
-- The first line names the columns, in any order; a further such line begins other columns. One of
-- sessions and connections is enough. Beside those below, my.NAME are metrics of the user's own. An
-- empty cell is a value that is not known. Lines that begin with # are skipped. What spreadsheets
-- export is read, too: quoted cells, semicolons or tabs with decimal commas, a byte order mark.
-- Pure.

local printable = require "gridcentric.util.printable"
local registry = require "gridcentric.metrics.registry"
local suggest = require "gridcentric.util.suggest"

local trace = {}

-- What a trace has beside metrics.
local TIMES = {
	{ name = "at", is_replayed = true }, -- seconds since 1970, or any other moment
	{ name = "cause", is_replayed = true }, -- why the policy was asked: tick, arrival, change
}
local DECISION = {
	{ name = "desired" }, -- what the policy said
	{ name = "wanted" }, -- and the plan
}

---What a recorded trace has, in this order. Replay goes by those that say `is_replayed`; `clones`
---are those that averages were measured over.
---@type { name: string, is_replayed: boolean? }[]
trace.COLUMNS = {}
for _, columns in ipairs { TIMES, registry.counted(), DECISION, registry.measured() } do
	table.move(columns, 1, #columns, #trace.COLUMNS + 1, trace.COLUMNS)
end

local IS_REPLAYED = {}
for _, column in ipairs(trace.COLUMNS) do IS_REPLAYED[column.name] = column.is_replayed or false end

-- Writing ----------------------------------------------------------------------------------------

---@class gridcentric.TraceColumns what the rows of one trace have
---@field names string[]
---@field header string
---@field readers ((fun(sample: gridcentric.Sample): number?)|false)[] false: filled in by row()

---@param own string[] names of the user's own metrics
---@return gridcentric.TraceColumns
function trace.columns(own)
	local names, readers = {}, {}
	for i, column in ipairs(trace.COLUMNS) do
		names[i] = column.name
		readers[i] = registry.BY_NAME[column.name] and registry.reader(column.name) or false
	end
	for _, name in ipairs(own) do
		names[#names + 1] = "my." .. name
		readers[#readers + 1] = registry.reader("my." .. name)
	end
	return { names = names, readers = readers, header = table.concat(names, ",") }
end

---The line for one time that the policy was asked.
---@param columns gridcentric.TraceColumns
---@param given { at: number, cause: string, desired: integer, wanted: integer }
---@param sample gridcentric.Sample
---@return string
function trace.row(columns, given, sample)
	local cells = {}
	for i, read in ipairs(columns.readers) do
		local value
		if read then value = read(sample) else value = given[columns.names[i]] end
		cells[i] = value == nil and "" or tostring(value)
	end
	cells[1] = ("%.6f"):format(given.at)
	return table.concat(cells, ",")
end

-- Reading ----------------------------------------------------------------------------------------

---Column by column, for there may be many rows.
---@class gridcentric.Trace
---@field n integer rows
---@field at number[]
---@field sessions integer[]
---@field connections integer[]
---@field cause string[]? where it was recorded
---@field measured table<string, (number|false)[]> the others that are played, by name

local LAST_S = 1e11 -- the year 5138: a larger number is in milliseconds, or a mistake
local LONGEST_GAP_S = 86400 -- a longer one is a mistake more often than not
local MOST_USERS = 1e6

local function fail(where, text, ...)
	error({ trace = ("%s: %s"):format(where(), text:format(...)) }, 0)
end

-- A cell as it is shown in a message.
local function shown(cell)
	return ('"%s"'):format(printable.line(cell, 40))
end

local function check_gap(gap, cell, where, has_gaps)
	if gap < 0 then fail(where, "at: %s is before the row above", cell) end
	if gap > LONGEST_GAP_S and not has_gaps then
		fail(where, "at: %s is %.1f days after the row above (with --gaps it is replayed)",
			cell, gap / 86400)
	end
end

-- Each puts a cell into row n; what is wrong is said with the place.
local function put_time(t, where, has_gaps)
	return function(cell, n)
		local at = tonumber(cell)
		if not at then
			fail(where, "at: a number of seconds expected, got %s", shown(cell))
		end
		if math.abs(at) > LAST_S then
			fail(where, "at: a number of seconds up to %g expected, got %s", LAST_S, shown(cell))
		end
		if n > 1 then check_gap(at - t.at[n - 1], cell, where, has_gaps) end
		t.at[n] = at
	end
end

local function put_count(list, name, where)
	return function(cell, n)
		local value = tonumber(cell)
		if not value or value < 0 then
			fail(where, "%s: a number from 0 expected, got %s", name, shown(cell))
		end
		if value > MOST_USERS then
			fail(where, "%s: a number up to %d expected, got %s", name, MOST_USERS, shown(cell))
		end
		list[n] = math.ceil(value)
	end
end

local function put_text(list)
	return function(cell, n) list[n] = cell end
end

local function put_metric(list, name, where)
	return function(cell, n)
		local value = tonumber(cell)
		local is_wrong = not value and cell:find "%S" or value and value - value ~= 0
		if is_wrong then
			fail(where, "%s: a number or nothing expected, got %s", name, shown(cell))
		end
		list[n] = value or false
	end
end

local function putter(t, name, where, has_gaps)
	local is_own = name:find "^my%.[%a_][%w_]*$"
	if IS_REPLAYED[name] == nil and not is_own then
		fail(where, "unknown column %s%s", shown(name), suggest.hint(IS_REPLAYED, name))
	end
	if name == "at" then return put_time(t, where, has_gaps) end
	if not is_own and not IS_REPLAYED[name] then return false end
	if name == "cause" then
		t.cause = t.cause or {}
		return put_text(t.cause)
	end
	if name == "sessions" or name == "connections" then
		t[name] = t[name] or {}
		return put_count(t[name], name, where)
	end
	t.measured[name] = t.measured[name] or {}
	return put_metric(t.measured[name], name, where)
end

-- Commas; or what a spreadsheet writes where the comma is in numbers.
local function separator_of(header)
	for separator in ("\t;"):gmatch "." do
		if header:find(separator, 1, true) and not header:find(",", 1, true) then return separator end
	end
	return ","
end

local function read_header(t, line, where, has_gaps)
	local separator = separator_of(line)
	local putters, seen = { cell = ("[^%s]*"):format(separator), separator = separator }, {}
	for cell in line:gmatch(putters.cell) do
		local name = cell:match "^%s*(.-)%s*$"
		if seen[name] then fail(where, "column %s comes twice", shown(name)) end
		seen[name] = true
		putters[#putters + 1] = putter(t, name, where, has_gaps)
	end
	if not seen.at then fail(where, "at: missing among the columns") end
	if not (seen.sessions or seen.connections) then
		fail(where, "sessions or connections: missing among the columns")
	end
	return putters
end

local function read_row(t, putters, line, where)
	local i, n = 0, t.n + 1
	if putters.separator ~= "," then line = line:gsub(",", ".") end
	for cell in line:gmatch(putters.cell) do
		i = i + 1
		local put = putters[i]
		if put then put(cell, n) end
	end
	if i ~= #putters then fail(where, "%d columns expected, got %d", #putters, i) end
	t.n = n
end

-- Of names, none of which begins as a number does.
local function is_header(line)
	return line:find "^%s*%a" and not line:find "[,;\t]%s*[-%d.]"
end

-- A line without what programs put around it: a mark at the file's beginning, quotes, a CR.
local function strip(line, number)
	if number == 1 then line = line:gsub("^\u{FEFF}", "") end
	if line:find('"', 1, true) then line = line:gsub('"([^"]*)"', "%1") end
	return (line:gsub("\r$", ""))
end

local function read(t, lines, name, has_gaps)
	local putters, number = nil, 0
	local function where() return ("%s:%d"):format(name, number) end
	for line in lines do
		number = number + 1
		line = strip(line, number)
		if is_header(line) then
			putters = read_header(t, line, where, has_gaps)
		elseif line:find "%S" and not line:find "^#" then
			if not putters then fail(where, "a first line with the names of columns expected") end
			read_row(t, putters, line, where)
		end
	end
	if t.n == 0 then fail(function() return name end, "no rows") end
end

---@param lines fun(): string? an iterator, as of file:lines()
---@param name string of the file, for messages
---@param has_gaps? boolean whether rows may be more than a day apart
---@return gridcentric.Trace?
---@return string? err
function trace.read(lines, name, has_gaps)
	local t = { n = 0, at = {}, measured = {} }
	local ok, err = xpcall(read, function(err)
		return type(err) == "table" and err.trace or debug.traceback(err)
	end, t, lines, name, has_gaps)
	if not ok then return nil, err end
	t.sessions = t.sessions or t.connections
	t.connections = t.connections or t.sessions
	return t
end

-- A trace that says nothing of requests had none.
local OF_REQUESTS = {}
for _, entry in ipairs(registry.measured()) do
	if entry.source == "proxy" then OF_REQUESTS[#OF_REQUESTS + 1] = entry end
end

---What was measured in a row: those fields of a sample that are no counts of this service's.
---@param t gridcentric.Trace
---@param i integer
---@return table<string, any>
function trace.measured(t, i)
	local measured = { my = {} }
	for _, entry in ipairs(OF_REQUESTS) do registry.set(measured, entry.name, entry.idle) end
	for name, values in pairs(t.measured) do registry.set(measured, name, values[i] or nil) end
	return measured
end

return trace
