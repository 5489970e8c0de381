-- A virtual machine of the real product, with programs/vm_guest in it, and its clones.
--
--	local machine = vm.start(t, { memory = 256, accel = "tcg", qemu = path of a wrapper })
--	machine.boot_ms                        from the request until it was ready
--	machine:tell("touch 1000000")          a command for the program in it; waits for the answer
--	machine:touch(bytes), machine:touched()   its RAM that is in use, or was
--	machine:ticket(8)                      a ticket for 8, and all is done that is done ahead
--	local made = machine:clone(8)          with that ticket; waits until all are ready
--	made.call                              when it was told to clone: ns, CLOCK_MONOTONIC
--	made.there, made.ready                 lists of ms since then: callbacks; told as ready
--	made.vmids, made.pids
--	machine:now(8)                         the same, ticket and all
--	machine:finish(made)                   ends these clones
--	machine:snapshots(n)                   the last n stops that the ledger knows
--	machine:stop()

local engine_program = require "gridcentric.cli.engine_program"
local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local subject = require "spec.bench.support.subject"
local tmp = require "spec.support.tmp"
local uv = require "luv"

local Machine = { __name = "bench machine" }
Machine.__index = Machine

local vm = {}

vm.IMAGE = paths.build .. "/bench/vm.img"
vm.PORT = 8001
local DEADLINE_MS = 60000
local CALM_MS = 300 -- in which what works ahead takes less than CALM_TICKS of CPU
local CALM_TICKS = 6
local METRIC_GAP_MS = 110 -- from one to the next metric, if that is not to wait

function vm.pause(t, ms)
	t.suspend("a pause", ms + DEADLINE_MS, function(wake)
		local timer = uv.new_timer()
		timer:start(ms, 0, function()
			timer:close()
			wake()
		end)
	end)
end

-- The next that the owner tells.
function Machine:next_event()
	local at, what, rest = self.owner:line("^(%d+) (%l+) ?(.*)$", DEADLINE_MS)
	if what == "failed" then error("the machine: " .. rest) end
	local event = { at = tonumber(at), what = what }
	if what == "domain" then
		local vmid, state, pid, ip, text = rest:match "^(%d+) (%l+) (%d+) (%S*) (.*)$"
		event.vmid, event.state, event.text = tonumber(vmid), state, text
		event.pid, event.ip = tonumber(pid), ip
	elseif what == "console" then
		self.last_words = (self.last_words or "") .. rest .. "\n"
	elseif what == "metric" then
		local vmid, name = rest:match "^(%d+) (%S+)$"
		event.vmid, event.name = tonumber(vmid), name
	end
	return event
end

-- Reads on until it is told that; fn(event) for all on the way, true where this is it.
function Machine:read_until(fn)
	local event
	repeat event = self:next_event() until fn(event)
	return event
end

---@param t table of an async.run
---@param options { memory: integer?, accel: string, qemu: string?, spare: integer? } spare: clones
--- that are kept half made
function vm.start(t, options)
	local self = setmetatable({ t = t, memory = options.memory or 256 }, Machine)
	self.owner = t.spawn { "lua5.4", subject.programs .. "/vm_owner.lua", vm.IMAGE,
		tostring(self.memory), options.accel, tostring(vm.PORT), tostring(options.spare or 0),
		stdin = true, env = { GRIDCENTRIC_QEMU = options.qemu or false } }
	local start = self:next_event()
	local ready = self:read_until(function(e)
		return e.what == "domain" and e.vmid == 0 and e.state == "ready"
	end)
	self.boot_ms = (ready.at - start.at) / 1e6
	self.pid, self.ip = ready.pid, ready.ip
	self.engine = procfs.stat(self.pid).ppid
	self.commands = assert(t.connect { host = self.ip, port = vm.PORT })
	return self
end

function Machine:tell(command)
	assert(self.commands:write("gc:" .. command .. "\n"))
	return assert(self.commands:read_until("\n", DEADLINE_MS))
end

---Bytes of its RAM that it has touched.
function Machine:touched()
	local folder = ("/proc/%d/fd/"):format(self.pid)
	for fd, target in pairs(procfs.descriptors(self.pid)) do
		if target:find("gridcentric-ram", 1, true) then
			return uv.fs_stat(folder .. fd).blocks * 512
		end
	end
	error "its RAM is not among its descriptors"
end

---Has it touch more, until it is so much in all, in bytes. (What is used more may have been touched
---before.)
function Machine:touch(wanted)
	for _ = 1, 10 do
		local missing = wanted - self:touched()
		if missing < 2 ^ 20 then return end
		self.ballast = (self.ballast or 0) + math.ceil(missing)
		self:tell(("touch %d"):format(self.ballast))
	end
end

---How long a word takes into the machine and back out as a metric, in ms: so much of each time of
---clone() is that of the measuring.
function Machine:ping()
	vm.pause(self.t, METRIC_GAP_MS)
	local since = uv.hrtime()
	assert(self.commands:write "gc:ping\n")
	local pong = self:read_until(function(e) return e.name == "pong" end)
	assert(self.commands:read_until("\n", DEADLINE_MS))
	return (pong.at - since) / 1e6
end

-- CPU time of a process, in ticks.
local function ticks_of(pid)
	local file = io.open(("/proc/%d/stat"):format(pid))
	if not file then return 0 end
	local user, system = file:read("a"):match("%) %a" .. (" %-?%d+"):rep(10) .. " (%d+) (%d+)")
	file:close()
	return user + system
end

-- That of the engine and of all machines but the master, which may have clients.
local function ticks(self)
	local sum = ticks_of(self.engine)
	for _, stat in ipairs(procfs.children(self.engine)) do
		if stat.pid ~= self.pid then sum = sum + ticks_of(stat.pid) end
	end
	return sum
end

---Waits until what is done ahead is done, as far as it can be seen from outside.
function Machine:settle()
	local before, now = -math.huge, ticks(self)
	while now - before > CALM_TICKS do
		vm.pause(self.t, CALM_MS)
		before, now = now, ticks(self)
	end
end

function Machine:ticket(n)
	local answer = self:tell("ticket " .. n)
	assert(answer == "ok\n", answer)
	self:settle()
end

-- Tells it to clone itself, and waits for n clones.
local function collect(self, command, n)
	local made = { there = {}, ready = {}, vmids = {}, pids = {}, call = uv.hrtime() }
	local master = false
	self:tell(command)
	self:read_until(function(e)
		if e.name == "there" then
			table.insert(made.there, (e.at - made.call) / 1e6)
		elseif e.state == "ready" then
			table.insert(made.ready, (e.at - made.call) / 1e6)
			table.insert(made.vmids, e.vmid)
			made.pids[#made.vmids] = e.pid
		elseif e.name == "master" then
			master = true
		elseif e.name == "failed" then
			self.last_words = ""
			self:read_until(function() return self.last_words:find "\n$" end)
			error("a clone failed: " .. self.last_words)
		elseif e.state == "failed" or e.state == "ended" then
			error(("clone %d is %s: %s"):format(e.vmid, e.state, e.text))
		end
		return master and #made.there == n and #made.ready == n
	end)
	return made
end

function Machine:clone(n)
	return collect(self, "clone", n)
end

function Machine:now(n)
	return collect(self, "now " .. n, n)
end

function Machine:finish(made)
	local left = #made.vmids
	self.owner:write(table.concat(made.vmids, "\n") .. "\n")
	self:read_until(function(e)
		if e.state == "ended" then left = left - 1 end
		return left == 0
	end)
end

---@return { pause_ms: number, copied: integer, bytes: integer }[]
function Machine:snapshots(n)
	self.seen = (self.seen or 0) + n
	local name = "bench-vm-" .. self.engine
	local stops
	self.t.wait_until(function()
		stops = {}
		for _, row in ipairs(engine_program.rows("events", { name = name }) or {}) do
			if row.what == "snapshot" then stops[#stops + 1] = row end
		end
		return #stops >= self.seen
	end, nil, "the stops in the ledger")
	local found = {}
	for i = self.seen - n + 1, self.seen do
		local details = stops[i].json
		if type(details) == "string" then details = json.decode(details) end
		found[#found + 1] = { pause_ms = details.pause_us / 1e3, copied = details.copied,
			bytes = details.bytes }
	end
	return found
end

function Machine:stop()
	self.commands:close()
	self.owner:close_stdin()
	self.owner:wait(DEADLINE_MS)
end

---Who pings port of ip each ms: subject's echo client. longest(client): ms since asked last.
function vm.pinger(t, ip, port)
	local client = t.spawn { subject.helpers .. "/echo_client", ip, tostring(port), "1000",
		stdin = true }
	client:line("^connected", DEADLINE_MS)
	return client
end

function vm.longest(client)
	client:write "r"
	return tonumber((client:line("^gap (%d+)", DEADLINE_MS))) / 1e6
end

function vm.end_pinger(client)
	client:close_stdin()
	client:wait(DEADLINE_MS)
end

local is_kvm -- whether a guest runs under it; nil: not tried yet

-- The engine boots one to see, where it is not told.
local function probe(t)
	if is_kvm == nil then
		local machine = vm.start(t, { accel = "auto" })
		is_kvm = procfs.stat(machine.pid).command:find("-accel kvm", 1, true) ~= nil
		machine:stop()
	end
	return is_kvm
end

---"kvm" where a guest runs under it, else "tcg".
function vm.best_accelerator(t)
	return probe(t) and "kvm" or "tcg"
end

---Calls fn(accel) for "tcg", and for "kvm" where a guest runs under it.
function vm.each_accelerator(t, report, fn)
	if not probe(t) then
		report:note "KVM is unavailable here (the engine has tried): emulation only"
	end
	fn "tcg"
	if probe(t) then fn "kvm" end
end

---A folder that QEMU, another user where this is root, may write to; gone after the run.
function vm.open_folder(t)
	local folder = tmp.new()
	t.defer(function() tmp.remove(folder) end)
	assert(uv.fs_chmod(folder, 1023)) -- 1777
	return folder
end

---A QEMU for $GRIDCENTRIC_QEMU: script, a shell's, may change "$@" before.
function vm.wrapper(t, script)
	local path = vm.open_folder(t) .. "/qemu"
	local file = assert(io.open(path, "w"))
	file:write("#!/bin/sh\n", script, '\nexec qemu-system-x86_64 "$@"\n')
	file:close()
	assert(uv.fs_chmod(path, 493))
	return path
end

---Bytes of memory that could be taken.
function vm.available()
	for line in io.lines "/proc/meminfo" do
		local kb = line:match "^MemAvailable:%s+(%d+)"
		if kb then return tonumber(kb) * 1024 end
	end
end

return vm
