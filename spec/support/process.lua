-- Child programs of a spec.
--
--	local p = t.spawn{ "lua5.4", "script.lua", cwd =, env = { NAME = "value", GONE = false },
--		stdin = "text" | true, foreign = true }
--	p.pid, p.stdout, p.stderr          what it has written so far
--	p:line(pattern, deadline_ms)       waits for the next line of stdout with the pattern
--	                                   in it; gives the captures, else the line
--	p:errline(pattern, deadline_ms)    the same for stderr
--	p:wait(deadline_ms)                -> exit status, signal number (0: none)
--	p:kill("sigterm")                  sends a signal, to this process only
--	p:stop(deadline_ms)                SIGTERM, then as p:wait
--	p:write(text), p:close_stdin()     with stdin = true
--	p:alive()
--
-- Each stands in a process group of its own. `foreign` marks a program that does
-- not bear the sanitizers' libraries (a browser).

local uv = require "luv"

local Process = {}
Process.__index = Process
Process.__name = "spec process"

local function environment(changes, foreign)
	local values = uv.os_environ()
	if foreign then values.LD_PRELOAD = nil end
	for name, value in pairs(changes or {}) do values[name] = value or nil end
	local list = {}
	for name, value in pairs(values) do list[#list + 1] = name .. "=" .. value end
	return list
end

-- Wakes whoever waits for something about this process.
local function changed(process)
	local waiters = process.waiters
	process.waiters = {}
	for _, wake in ipairs(waiters) do wake() end
end

local function collect(process, name)
	local pipe = uv.new_pipe(false)
	process[name] = ""
	process.handles[#process.handles + 1] = pipe
	return pipe, function()
		pipe:read_start(function(_, data)
			if data then
				process[name] = process[name] .. data
			elseif not pipe:is_closing() then
				pipe:close()
			end
			changed(process)
		end)
	end
end

-- What it wrote before it ended can still be in the pipes: two more turns of the
-- loop read it. (Waiting for their end would wait for its children, too.)
local function drained(process)
	local turns = 0
	local idle = uv.new_idle()
	table.insert(process.handles, idle)
	idle:start(function()
		turns = turns + 1
		if turns < 3 then return end
		idle:close()
		process.ended = true
		changed(process)
	end)
end

local function wait_change(process, what, deadline_ms, ready)
	local limit = deadline_ms and uv.now() + deadline_ms
	while not ready() do
		process.t.suspend(what, limit and math.max(limit - uv.now(), 1), function(wake)
			process.waiters[#process.waiters + 1] = wake
		end)
	end
end

function Process:describe()
	return ("%s (pid %d)%s\n--- stdout\n%s\n--- stderr\n%s"):format(
		self.name, self.pid,
		self.ended and (" ended with status %d, signal %d"):format(self.status, self.signal) or "",
		self.stdout, self.stderr)
end

function Process:next_line(name, pattern, deadline_ms)
	local found
	local function look()
		local from = self.seen[name]
		for line, after in self[name]:sub(from):gmatch("([^\n]*)\n()") do
			self.seen[name] = from + after - 1
			if line:find(pattern) then
				found = line
				return true
			end
		end
		return self.ended
	end
	local what = ("a line with %q on %s of %s"):format(pattern, name, self.name)
	local ok, err = pcall(wait_change, self, what, deadline_ms, look)
	if not ok or not found then
		error(("%s\n%s"):format(ok and what .. ": it ended before" or err, self:describe()), 2)
	end
	if select("#", found:find(pattern)) == 2 then return found end
	return found:match(pattern)
end

function Process:line(pattern, deadline_ms)
	return self:next_line("stdout", pattern, deadline_ms)
end

function Process:errline(pattern, deadline_ms)
	return self:next_line("stderr", pattern, deadline_ms)
end

function Process:wait(deadline_ms)
	local ok, err = pcall(wait_change, self, "the end of " .. self.name, deadline_ms,
		function() return self.ended end)
	if not ok then error(err .. "\n" .. self:describe(), 2) end
	return self.status, self.signal
end

function Process:alive() return not self.status end
function Process:kill(signal) return uv.kill(self.pid, signal or "sigterm") end

function Process:stop(deadline_ms)
	if self:alive() then self:kill("sigterm") end
	return self:wait(deadline_ms)
end

function Process:write(text)
	local err = self.t.suspend("writing to " .. self.name, nil, function(wake)
		self.stdin:write(text, wake)
	end)
	return not err, err
end

function Process:close_stdin()
	if not self.stdin:is_closing() then self.stdin:close() end
end

local function close(process)
	for _, handle in ipairs(process.handles) do
		if not handle:is_closing() then handle:close() end
	end
end

local function spawn(t, options)
	local process = setmetatable({
		t = t, name = table.concat(options, " "), handles = {}, waiters = {},
		seen = { stdout = 1, stderr = 1 }, ended = false,
	}, Process)
	if options.stdin then
		process.stdin = uv.new_pipe(false)
		process.handles[1] = process.stdin
	end
	local out, read_out = collect(process, "stdout")
	local err, read_err = collect(process, "stderr")
	t.defer(function() close(process) end)
	local handle, pid = uv.spawn(options[1], {
		args = table.move(options, 2, #options, 1, {}),
		env = environment(options.env, options.foreign),
		cwd = options.cwd,
		stdio = { process.stdin, out, err },
		detached = true,
	}, function(status, signal)
		process.status, process.signal = status, signal
		process.handle:close()
		drained(process)
	end)
	if not handle then error(("cannot start %s: %s"):format(process.name, pid), 2) end
	process.handle, process.pid = handle, pid
	read_out()
	read_err()
	if type(options.stdin) == "string" then
		process.stdin:write(options.stdin, function() process:close_stdin() end)
	end
	return process
end

return function(t)
	function t.spawn(options) return spawn(t, options) end
end
