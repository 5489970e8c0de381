-- The log of a running service: on a terminal, lines to read; elsewhere, lines to parse, each
--
--	2026-11-23T05:41:14Z EVENT CLONE TEXT
--
-- with "-" for no clone. Times are local, as in all that gcscale prints; Z stands for UTC.

local printable = require "gridcentric.util.printable"

local journal = {}

local COLOURS = {
	start = "bold",
	decision = "cyan",
	ready = "green",
	drain = "dim", ended = "dim",
	reload = "bold", hold = "bold", readmitted = "green", kill = "yellow", cut = "yellow",
	ejected = "yellow", denied = "yellow",
	died = "red", stopped = "red", failed = "yellow", program = "yellow", policy = "yellow",
}

-- "2026-11-23T05:41:14+01:00"
local function timestamp(time)
	local hours, minutes = os.date("%z", time):match "^([+-]%d%d)(%d%d)$"
	local zone = hours .. ":" .. minutes
	return os.date("%Y-%m-%dT%H:%M:%S", time) .. (zone == "+00:00" and "Z" or zone)
end

---@param terminal gridcentric.Terminal
---@param write? fun(line: string)
---@param time? fun(): integer
---@return gridcentric.Log
function journal.new(terminal, write, time)
	local function write_to(stream, line)
		if write then return write(line) end
		local file = stream == 2 and io.stderr or io.stdout
		file:write(line, "\n"):flush()
	end
	time = time or os.time
	local self = {}

	local function add(stream, what, vmid, text, colour)
		text = printable.line(text)
		if terminal.is_tty then
			return write_to(stream, ("%s  %s"):format(terminal.paint("dim", os.date("%H:%M:%S", time())),
				terminal.paint(colour, text)))
		end
		write_to(stream, ("%s %s %s %s"):format(timestamp(time()), what, vmid or "-", text))
	end

	function self.event(what, vmid, text)
		add(1, what, vmid, text, COLOURS[what])
	end

	-- A line of the program's, from its stdout (1) or stderr (2).
	function self.output(stream, line)
		add(stream, "output", nil, terminal.is_tty and "output: " .. line or line)
	end

	function self.error(text) io.stderr:write("gcscale: ", printable.lines(text), "\n") end

	return self
end

return journal
