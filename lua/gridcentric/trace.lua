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
-- empty cell is a value that is not known. Lines that begin with # are passed over. Pure.

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

local function fail(where, text, ...)
	error({ trace = ("%s: %s"):format(where(), text:format(...)) }, 0)
end

-- Each puts a cell into row n; what is wrong is said with the place.
local function put_time(t, where)
	return function(cell, n)
		local at = tonumber(cell) or fail(where, "at: a number of seconds expected, got %q", cell)
		if n > 1 and at < t.at[n - 1] then fail(where, "at: %s is before the row above", cell) end
		t.at[n] = at
	end
end

local function put_count(list, name, where)
	return function(cell, n)
		local value = tonumber(cell)
		if not value or value < 0 or value > 1e9 then
			fail(where, "%s: a number from 0 expected, got %q", name, cell)
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
		if not value and cell:find "%S" then
			fail(where, "%s: a number or nothing expected, got %q", name, cell)
		end
		list[n] = value or false
	end
end

local function putter(t, name, where)
	local is_own = name:find "^my%.[%a_][%w_]*$"
	if IS_REPLAYED[name] == nil and not is_own then
		fail(where, 'unknown column "%s"%s', name, suggest.hint(IS_REPLAYED, name))
	end
	if name == "at" then return put_time(t, where) end
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

local function read_header(t, line, where)
	local putters, seen = {}, {}
	for cell in line:gmatch "[^,]*" do
		local name = cell:match "^%s*(.-)%s*$"
		if seen[name] then fail(where, 'column "%s" comes twice', name) end
		seen[name] = true
		putters[#putters + 1] = putter(t, name, where)
	end
	if not seen.at then fail(where, "at: missing among the columns") end
	if not (seen.sessions or seen.connections) then
		fail(where, "sessions or connections: missing among the columns")
	end
	return putters
end

local function read_row(t, putters, line, where)
	local i, n = 0, t.n + 1
	for cell in line:gmatch "[^,]*" do
		i = i + 1
		local put = putters[i]
		if put then put(cell, n) end
	end
	if i ~= #putters then fail(where, "%d columns expected, got %d", #putters, i) end
	t.n = n
end

-- Of names, none of which begins as a number does.
local function is_header(line)
	return line:find "^%s*%a" and not line:find ",%s*[-%d.]"
end

local function read(t, lines, name)
	local putters, number = nil, 0
	local function where() return ("%s:%d"):format(name, number) end
	for line in lines do
		number = number + 1
		line = line:gsub("\r$", "")
		if is_header(line) then
			putters = read_header(t, line, where)
		elseif line:find "%S" and not line:find "^#" then
			if not putters then fail(where, "a first line with the names of columns expected") end
			read_row(t, putters, line, where)
		end
	end
	if t.n == 0 then fail(function() return name end, "no rows") end
end

---@param lines fun(): string? an iterator, as of file:lines()
---@param name string of the file, for messages
---@return gridcentric.Trace?
---@return string? err
function trace.read(lines, name)
	local t = { n = 0, at = {}, measured = {} }
	local ok, err = xpcall(read, function(err)
		return type(err) == "table" and err.trace or debug.traceback(err)
	end, t, lines, name)
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
