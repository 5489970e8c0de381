-- What a virtual machine writes on its console, as lines without control sequences, which are safe
-- to print on a terminal. The machine is not trusted: it may send any bytes. Pure.
--
--	local console = console.new()
--	console:add("\27[1mready\27[0m\r\n")    --> "ready\n"
--	console:last(20)                         --> { "ready" }

local printable = require "gridcentric.util.printable"

local console = {}

local KEPT = 64 * 1024 -- the last bytes
local LONGEST_SEQUENCE = 256 -- bytes; a longer one is not taken for a control sequence
local LONGEST_LINE = 200 -- bytes of a line that last() gives

---@class gridcentric.Console
---@field kept string the last bytes, clean
---@field rest string the beginning of a control sequence or of a line's end, if it is one
local Console = { __name = "gridcentric.platform.console" }
Console.__index = Console

---@return gridcentric.Console
function console.new()
	return setmetatable({ kept = "", rest = "" }, Console)
end

-- Control sequences as ECMA-48 has them, and those of one character.
local SEQUENCES = {
	"\27%[[0-?]*[ -/]*[@-~]", -- CSI
	"\27[%]P^_X][^\7\27]*\7", -- texts such as a window's title, ended as in xterm
	"\27[%]P^_X][^\7\27]*\27\\", -- the same, ended as in the standard
	"\27[ -/]*[0-~]",
}

-- Beginnings of them, which may stand at the end of the bytes so far.
local BEGUN = { "\27[ -/]*$", "\27%[[0-?]*[ -/]*$", "\27[%]P^_X][^\7\27]*\27?$", "\r+$", "\xC2$" }

-- Splits the bytes before such a beginning. Looks near the end only: these patterns are slow on
-- bytes that were made for that.
local function split(bytes)
	local at
	for _, pattern in ipairs(BEGUN) do
		local found = bytes:find(pattern, -LONGEST_SEQUENCE)
		if found and (not at or found < at) then at = found end
	end
	if not at then return bytes, "" end
	return bytes:sub(1, at - 1), bytes:sub(at)
end

local function clean(bytes)
	for _, pattern in ipairs(SEQUENCES) do bytes = bytes:gsub(pattern, "") end
	return printable.without_c1((bytes:gsub("\r+\n?", "\n"):gsub("[^%C\n\t]", "")))
end

---Adds bytes from the machine.
---@param bytes string
---@return string text the new part, clean
function Console:add(bytes)
	bytes, self.rest = split(self.rest .. bytes)
	local text = clean(bytes)
	self.kept = (self.kept .. text):sub(-KEPT)
	return text
end

---The last lines that are not blank.
---@param n integer
---@return string[]
function Console:last(n)
	local lines = {}
	for line in self.kept:gmatch "[^\n]+" do
		if line:find "%S" then lines[#lines + 1] = line:sub(1, LONGEST_LINE) end
	end
	return table.move(lines, math.max(#lines - n + 1, 1), #lines, 1, {})
end

return console
