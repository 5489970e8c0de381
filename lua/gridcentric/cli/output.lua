-- What the program and its clones write on stdout and stderr: each line goes into gcscale's log,
-- with the time and the word `output`. They share two pipes, so who wrote a line is not known.
--
--	local captured = output.capture(async.core(), log)     before the engine is started
--	captured:drain()                                       when the program has ended

local uv = require "luv"

local output = {}

local MAX_LINE = 4096 -- bytes; what is longer becomes several lines
local DRAIN_TURNS = 8 -- of 64 KiB each, which is what a pipe holds

---@class gridcentric.Output
---@field partial table<integer, string> the begun line of each stream
---@field log gridcentric.Log
local Output = { __name = "gridcentric.cli.output" }
Output.__index = Output

-- Reports a line in pieces that are not too long.
local function report(self, stream, line)
	for from = 1, math.max(#line, 1), MAX_LINE do
		self.log.output(stream, line:sub(from, from + MAX_LINE - 1))
	end
end

local function add(self, stream, data)
	local text, from = self.partial[stream] .. data, 1
	for line, after in text:gmatch "([^\n]*)\n()" do
		report(self, stream, line)
		from = after
	end
	local rest = text:sub(from)
	if #rest >= MAX_LINE then
		report(self, stream, rest)
		rest = ""
	end
	self.partial[stream] = rest
end

-- Returns the end to write to.
local function open(self, stream)
	local fds = assert(uv.pipe({ nonblock = true }, {}))
	local pipe = uv.new_pipe(false)
	assert(pipe:open(fds.read))
	pipe:read_start(function(_, data)
		if data then add(self, stream, data) end
	end)
	pipe:unref()
	return fds.write -- kept open, for an engine that replaces a lost one
end

---@param core userdata of a process that owns its engine, which is not started yet
---@param log gridcentric.Log
---@return gridcentric.Output
function output.capture(core, log)
	local self = setmetatable({ partial = { "", "" }, log = log }, Output)
	core:set_output(open(self, 1), open(self, 2))
	return self
end

---Reads what is still in the pipes. Runs the loop.
function Output:drain()
	for _ = 1, DRAIN_TURNS do uv.run "nowait" end
	for stream, text in ipairs(self.partial) do
		if text ~= "" then report(self, stream, text) end
		self.partial[stream] = ""
	end
end

return output
