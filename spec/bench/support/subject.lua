-- Starts programs/program.lua, and has it cloned.
--
--	local subject = subject.start(t, { mb = 500 })
--	local ns = subject:clone()            a clone that ends; how long it took
--	local clone = subject:keep()          one that stays: { vmid, pid, ip }
--	subject:stop()

local uv = require "luv"
local paths = require "spec.support.paths"

local Subject = { __name = "bench subject" }
Subject.__index = Subject

local subject = {}

subject.WARM_UP = 5 -- clones that do not count
local DEADLINE_MS = 60000

subject.programs = paths.root .. "/spec/bench/programs"
subject.helpers = paths.build .. "/bench" -- what spec/bench/*.c became

---The environment of a program that uses the modules in helpers.
---@param stamps string? the file into which each function leaves a stamp
function subject.environment(stamps)
	local cpath = os.getenv("LUA_CPATH")
	local env = { LUA_CPATH = subject.helpers .. "/lib/?.so;" .. cpath, PORT = false }
	if stamps then
		env.LUA_CPATH = subject.helpers .. "/stamped/lib/?.so;" .. env.LUA_CPATH
		env.LD_PRELOAD = subject.helpers .. "/lib/bench/stamps.so"
		env.BENCH_STAMPS = stamps
	end
	return env
end

---@param t table of an async.run
---@param options { mb: integer?, heap: string?, timers: integer?, fs: integer?,
--- connections: integer?, stamps: string? } the first are for the program; connections: that many
--- are held open; stamps: the file into which they go
function subject.start(t, options)
	local command = { "lua5.4", subject.programs .. "/program.lua",
		env = subject.environment(options.stamps) }
	for _, name in ipairs { "mb", "heap", "timers", "fs" } do
		if options[name] then table.insert(command, ("%s=%s"):format(name, options[name])) end
	end
	local self = setmetatable({ t = t, process = t.spawn(command) }, Subject)
	self.pid = self.process.pid
	self.port = tonumber(self.process:line("^port (%d+)", DEADLINE_MS))
	if options.connections then
		self.holder = t.spawn { subject.helpers .. "/connections", "127.0.0.1",
			tostring(self.port), tostring(options.connections), stdin = true }
		self.holder:line("^connected", DEADLINE_MS)
	end
	for _ = 1, subject.WARM_UP do self:clone() end
	return self
end

---Has it make a clone that ends at once, and waits for its end.
---@return number ns from clone() to the end of the clone's first write, in its callback
function Subject:clone()
	self.process:kill("sigusr1")
	local ns = self.process:line("^clone %d+ %d+ %S+ (%d+)", DEADLINE_MS)
	self.process:line("^ended", DEADLINE_MS)
	return tonumber(ns)
end

---Has it make a clone that stays.
---@return { vmid: integer, pid: integer, ip: string }
function Subject:keep()
	self.process:kill("sigusr2")
	local vmid, pid, ip = self.process:line("^clone (%d+) (%d+) (%S+)", DEADLINE_MS)
	return { vmid = tonumber(vmid), pid = tonumber(pid), ip = ip }
end

---Ends a clone that stayed.
function Subject:finish(clone)
	uv.kill(clone.pid, "sigkill")
	self.process:line("^ended " .. clone.vmid, DEADLINE_MS)
end

function Subject:stop()
	if self.holder then
		self.holder:close_stdin()
		self.holder:wait(DEADLINE_MS)
	end
	self.process:kill("sigkill")
	self.process:wait(DEADLINE_MS)
end

return subject
