-- A running build: runs external tools one after the other, and can be stopped.
--
-- The work is a function that runs as a coroutine on luv's loop and waits only for tools. stop()
-- ends the running tool; then the function unwinds and cleans up its `<close>` variables.

local failure = require "gridcentric.image.failure"
local tools = require "gridcentric.image.tools"
local uv = require "luv"

local job = {}

local SHOWN = 500 -- bytes of what a tool said last

-- Messages must be in English, since they are parsed. The preloaded libraries of a tracer or
-- sanitizer are left out, since ldd would list them.
local function environment()
	local values, list = uv.os_environ(), {}
	values.LC_ALL, values.LD_PRELOAD, values.PATH = "C.UTF-8", nil, tools.search_path()
	values.TAR_OPTIONS, values.CPIO_OPTIONS = nil, nil
	for name, value in pairs(values) do list[#list + 1] = name .. "=" .. value end
	return list
end

---@class gridcentric.ImageJob
---@field progress gridcentric.ImageProgress
---@field private child { pid: integer, wake: fun() }? the tool that runs
---@field private stopped boolean
local Job = {}
Job.__index = Job
Job.__name = "gridcentric.ImageJob"

-- Collects the text that comes from a pipe, until its end.
local function collect(done)
	local pipe, got = uv.new_pipe(false), {}
	local function start()
		pipe:read_start(function(_, data)
			if data then
				got[#got + 1] = data
				return
			end
			if not pipe:is_closing() then pipe:close() end
			done()
		end)
	end
	local function close()
		if not pipe:is_closing() then pipe:close() end
		return table.concat(got)
	end
	return pipe, start, close
end

local function last_words(text)
	text = text:gsub("%s+$", "")
	return #text <= SHOWN and text or "..." .. text:sub(-SHOWN)
end

-- Runs a tool to its end. Returns its exit status (128 + n: killed by signal n), stdout and stderr.
local function spawn(self, path, command)
	local thread, left, status = coroutine.running(), 3, nil
	local function part()
		left = left - 1
		-- What a stopped tool started may hold the pipes for longer.
		if left == 0 or self.stopped and status then
			left = -1
			assert(coroutine.resume(thread))
		end
	end
	local out, read_out, close_out = collect(part)
	local err, read_err, close_err = collect(part)
	local handle, pid
	handle, pid = uv.spawn(path, {
		args = table.move(command, 2, #command, 1, {}), env = environment(), cwd = command.cwd,
		stdio = { command.stdin, out, err },
		detached = true, -- stop() ends its children, too; and Ctrl-C is for us alone
	}, function(code, signal)
		handle:close()
		status = signal > 0 and 128 + signal or code
		part()
	end)
	if not handle then
		close_out()
		close_err()
		failure.raise("%s: %s", path, pid)
	end
	self.child = { pid = pid }
	read_out()
	read_err()
	coroutine.yield()
	self.child = nil
	return status, close_out(), close_err()
end

---Runs a tool to its end. Raises if it is missing or fails, or when the job was stopped.
---@param command table its words; cwd: its folder; stdin: a descriptor; max_status: what is no
---  failure (0)
---@return string # what it wrote
function Job:run(command)
	if self.stopped then failure.raise "stopped" end
	tools.demand(command[1])
	local status, out, err = spawn(self, tools.find(command[1]), command)
	if self.stopped then failure.raise "stopped" end
	if status <= (command.max_status or 0) then return out end
	local why = last_words(err ~= "" and err or out)
	failure.raise("%s failed (status %d)%s", command[1], status, why ~= "" and ": " .. why or "")
end

---Ends the running tool, and prevents any other from starting.
function Job:stop()
	self.stopped = true
	if self.child then uv.kill(-self.child.pid, "sigterm") end
end

---@class gridcentric.ImageProgress what is told of a build
---@field step fun(text: string) the next one begins
---@field part fun(share: number) of the step, 0 to 1

---Starts the work, which runs up to its first wait before this returns.
---@param progress gridcentric.ImageProgress
---@param work fun(job: gridcentric.ImageJob): any
---@param done fun(result: any, err: string?) nil and why, if it failed
---@return gridcentric.ImageJob
function job.start(progress, work, done)
	local self = setmetatable({ progress = progress, stopped = false }, Job)
	local function explain(err)
		return failure.text(err) or debug.traceback(tostring(err), 2)
	end
	local thread = coroutine.create(function()
		local ok, result = xpcall(work, explain, self)
		if ok then return done(result) end
		done(nil, result)
	end)
	assert(coroutine.resume(thread))
	return self
end

return job
