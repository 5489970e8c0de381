-- What an engine makes of an owner, and of clones, that do not do what they should. The
-- owner here speaks the messages itself (spec_wire) and forks nothing.

local core = require "gridcentric.core"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"
local wire = require "gridcentric.spec_wire"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local INSIDE, OUTSIDE, DOMAIN = 0, 1, 2 -- enum wire_role
local READY, STOPPING, ENDED = 1, 2, 3
local NO_PROCESS = 1 << 30 -- above the greatest process number
local EPROTO, EDIED, EREPAIR, ENOTREADY, ENOMEM = -4012, -4009, -4008, -4010, -12
local me = math.tointeger(uv.os_getpid())
local RUNNER = assert(package.searchpath("gridcentric.service", package.path))

local Peer = {}
Peer.__index = Peer

function Peer:say(...) self.out:write(assert(wire.encode(...))) end

-- The fields of the next message of a type; messages of other types are skipped.
function Peer:next(type)
	local fields
	self.t.wait_until(function()
		while not fields do
			local len, name, _, values = wire.decode(self.bytes)
			if len == 0 then return false end
			self.bytes = self.bytes:sub(assert(len) + 1)
			if name == type then fields = values end
		end
		return true
	end, nil, "the message " .. type)
	return table.unpack(fields)
end

function Peer:listen()
	self.channel:read_start(function(_, data) self.bytes = self.bytes .. (data or "") end)
end

local function peer(t, channel)
	local self = setmetatable({ t = t, channel = channel, out = channel, bytes = "" }, Peer)
	t.defer(function() if not channel:is_closing() then channel:close() end end)
	self:listen()
	return self
end

function Peer:take_descriptor()
	local pipe = uv.new_pipe(false)
	self.t.wait_until(function() return self.channel:pending_count() > 0 end)
	assert(self.channel:accept(pipe))
	return pipe
end

-- The far end of the channel that came with a FORK message; after it a lifeline, and listeners.
function Peer:take_channel(listeners)
	local channel = self:take_descriptor()
	for _ = 0, listeners or 0 do self:take_descriptor():close() end
	return peer(self.t, channel)
end

-- What is said from now on is written by a process of its own: the kernel tells the engine who
-- sent it. `before`: shell commands.
function Peer:become_process(before)
	self.out = uv.new_pipe(false)
	local t, handle = self.t, nil
	handle, self.pid = uv.spawn("sh", {
		args = { "-c", (before or "") .. " exec cat >&3" },
		stdio = { self.out, 1, 2, self.channel }, detached = true,
	}, function(_, signal)
		self.signal = signal
		handle:close()
	end)
	self.pid = math.tointeger(assert(handle and self.pid))
	t.defer(function()
		if not self.signal then uv.kill(self.pid, "sigkill") end
		t.wait_until(function() return self.signal end)
		self.out:close()
	end)
	return self
end

-- An engine that is owned by this process; `before` is a program that executes it.
local function start(t, env, before, role)
	local channel = uv.new_pipe(true)
	local list = {}
	for name, value in pairs(uv.os_environ()) do list[#list + 1] = name .. "=" .. value end
	for name, value in pairs(env or {}) do list[#list + 1] = name .. "=" .. value end
	local handle, pid
	local command = table.pack(table.unpack(before or {}))
	table.move({ paths.engine, "--owner", "3", "--name", "peer" }, 1, 5, #command + 1, command)
	handle, pid = uv.spawn(table.remove(command, 1), {
		args = command, env = list, detached = true,
		stdio = { 0, 1, 2, channel },
	}, t.expect(function() handle:close() end))
	local owner = peer(t, channel)
	owner.pid = assert(pid)
	owner:say("HELLO", 1, "", role or INSIDE, me)
	owner:next("WELCOME")
	return owner
end

local function get_ticket(owner, n)
	owner:say("TICKET_REQUEST", 1, n, n, 1, 0)
	local _, code, text, ticket = owner:next("TICKET")
	assert.equal(0, code, text)
	return ticket
end

-- Asks for a clone, and returns its number and the token with which it is to say hello.
local function ask_for_clone(owner, ...)
	owner:say("CLONE", 2, get_ticket(owner, 1), ...)
	local vmid, _, token = owner:next("FORK")
	return vmid, token
end

-- A clone that is a process of its own, and ready.
local function make_clone(owner)
	local vmid, token = ask_for_clone(owner)
	local clone = owner:take_channel():become_process()
	clone.vmid = vmid
	clone:say("HELLO", 1, token, DOMAIN, clone.pid)
	clone:say("READY", vmid, 0, "")
	assert.equal(0, select(2, owner:next("CLONED")))
	return clone
end

-- A process whose parent is not this one, and a function that ends both.
local function grandchild(t)
	local parent = t.spawn { "sh", "-c", "sleep 1000 & echo $!; wait" }
	local pid = math.tointeger(tonumber(parent:line("^(%d+)$")))
	return pid, function()
		assert.equal(0, uv.kill(pid, "sigterm"))
		parent:wait()
	end
end

-- The process that the engine takes for the domain.
local function pid_of(owner, vmid)
	owner:say("LIST", 9)
	local values = { owner:next("DOMAINS") }
	for i = 2, #values, 5 do
		if values[i] == vmid then return values[i + 1] end
	end
end

local function lives(owner)
	owner:say("LIST", 9)
	assert.equal(9, (owner:next("DOMAINS")))
end

-- run(t) inside, and the engine's end after it.
local function run(env, body)
	puppet.run(function(t)
		local owner = start(t, env)
		body(t, owner)
		owner.channel:close()
	end)
end

describe("an engine", function()
	it("kills nobody when a clone is said to be process 0", function()
		run(nil, function(_, owner)
			ask_for_clone(owner)
			owner:say("FORKED", 1, 0, "")
			local _, code = owner:next("CLONED")
			assert.equal(EPROTO, code)
			lives(owner)
		end)
	end)

	it("kills nobody that a program names as its clone and that is not its child", function()
		run(nil, function(t, owner)
			local victim, end_victim = grandchild(t)
			local vmid = ask_for_clone(owner)
			owner:say("FORKED", vmid, victim, "")
			assert.equal(0, pid_of(owner, vmid))
			owner:say("KILL", 3, vmid)
			assert.equal(3, (owner:next("DONE")))
			end_victim()
		end)
	end)

	it("takes the process that sent HELLO for a clone, whatever HELLO says", function()
		run(nil, function(t, owner)
			local victim, end_victim = grandchild(t)
			local vmid, token = ask_for_clone(owner)
			local clone = owner:take_channel():become_process()
			clone:say("HELLO", 1, token, DOMAIN, victim)
			clone:next("WELCOME")
			assert.equal(clone.pid, pid_of(owner, vmid))
			owner:say("KILL", 3, vmid)
			t.wait_until(function() return clone.signal end)
			assert.equal(9, clone.signal)
			owner:say("EXITED", clone.pid, 9)
			assert.equal(3, (owner:next("DONE")))
			end_victim()
		end)
	end)

	it("takes no process for two domains", function()
		run(nil, function(_, owner)
			local _, token = ask_for_clone(owner)
			owner:take_channel():say("HELLO", 1, token, DOMAIN, 4711)
			local _, code = owner:next("CLONED")
			assert.equal(EDIED, code)
			assert.equal(me, pid_of(owner, 0))
		end)
	end)

	it("hears of an exit status from the parent only", function()
		run(nil, function(t, owner)
			local one, two = make_clone(owner), make_clone(owner)
			one:say("EXITED", two.pid, 7 << 8)
			one:say("METRIC", "after", 0) -- the engine has read both
			owner:next("DOMAIN_METRIC")
			uv.kill(two.pid, "sigkill")
			t.wait_until(function() return two.signal end)
			owner:say("EXITED", two.pid, 9)
			local told
			repeat told = { owner:next("DOMAIN") } until told[1] == two.vmid and told[2] == ENDED
			assert.equal(9, told[4])
			assert.is_nil(one.signal)
		end)
	end)

	it("bears a clone that failed and was reaped before it was heard", function()
		run(nil, function(_, owner)
			local _, token = ask_for_clone(owner)
			local clone = owner:take_channel()
			uv.kill(owner.pid, "sigstop")
			owner:say("FORKED", 1, NO_PROCESS, "")
			owner:say("EXITED", NO_PROCESS, 127 << 8)
			clone:say("HELLO", 1, token, DOMAIN, NO_PROCESS)
			clone:say("READY", 1, EREPAIR, "broken")
			uv.kill(owner.pid, "sigcont")
			local _, code, text = owner:next("CLONED")
			assert.same({ EREPAIR, "repair: broken" }, { code, text })
			lives(owner)
		end)
	end)

	it("runs post-clone for a clone that is dead before its READY is read", function()
		puppet.run(function(t)
			local folder = t.tmpdir()
			local file = assert(io.open(folder .. "/post-clone", "w"))
			file:write("#!/bin/sh\necho $GC_ADDRESS >", folder, "/address\n")
			file:close()
			uv.fs_chmod(folder .. "/post-clone", 448)
			local owner = start(t, { GRIDCENTRIC_HOOKS = folder })
			local vmid, token = ask_for_clone(owner)
			local clone = owner:take_channel():become_process()
			clone:say("HELLO", 1, token, DOMAIN, clone.pid)
			clone:next("WELCOME") -- the engine watches the process
			uv.kill(owner.pid, "sigstop")
			uv.kill(clone.pid, "sigkill")
			t.wait_until(function() return clone.signal end)
			clone.channel:write(assert(wire.encode("READY", vmid, 0, ""))) -- after its end
			uv.kill(owner.pid, "sigcont")
			t.wait_until(function() return uv.fs_stat(folder .. "/address") end)
			owner:say("EXITED", clone.pid, 9)
			owner:next("CLONED")
			t.wait_until(function()
				local address <close> = io.open(folder .. "/address")
				return address and (address:read("a") or ""):match("^127%.")
			end)
			owner.channel:close()
		end)
	end)

	it("gives each clone of a ticket its time when its turn has come", function()
		-- each is made 1.5 s after its turn has come, the last 4.5 s after it was asked for
		run({ GRIDCENTRIC_CLONE_TIMEOUT = "4" }, function(t, owner)
			owner:say("CLONE", 2, get_ticket(owner, 3))
			for i = 1, 3 do
				local vmid, _, token = owner:next("FORK")
				assert.equal(i, vmid)
				local timer = uv.new_timer()
				local due
				timer:start(1500, 0, function() due = true end)
				t.wait_until(function() return due end)
				timer:close()
				local clone = owner:take_channel():become_process()
				owner:say("FORKED", vmid, clone.pid, "")
				clone:say("HELLO", 1, token, DOMAIN, clone.pid)
				clone:say("READY", vmid, 0, "")
			end
			local _, code, text, first, second, third = owner:next("CLONED")
			assert.same({ 0, 1, 2, 3 }, { code, first, second, third }, text)
		end)
	end)

	it("gives up all clones of a source that makes none", function()
		run({ GRIDCENTRIC_CLONE_TIMEOUT = "0.2" }, function(_, owner)
			owner:say("CLONE", 2, get_ticket(owner, 3))
			local _, code = owner:next("CLONED")
			assert.equal(ENOTREADY, code)
			for vmid = 1, 3 do assert.is_nil(pid_of(owner, vmid)) end
		end)
	end)

	it("does not wait for ever for a program that does not answer", function()
		puppet.run(function(t)
			local owner = start(t, { GRIDCENTRIC_CLONE_TIMEOUT = "0.3" }, nil, OUTSIDE)
			local port = t.free_port()
			owner:say("START", 4, port, paths.scripts, "lua5.4", RUNNER, "puppet.lua", "127.0.0.1:" .. port)
			local told
			repeat told = { owner:next("DOMAIN") } until told[2] == READY
			uv.kill(told[3], "sigstop")
			owner:say("CLONE", 2, get_ticket(owner, 2))
			local _, code, text = owner:next("CLONED")
			assert.equal(ENOTREADY, code)
			assert.equal("no clone was made within 300 ms: "
				.. "the program did not return to its event loop", text)
			owner.channel:close()
		end)
	end)

	it("gives up the sockets of dead clones when it runs out of descriptors", function()
		puppet.run(function(t)
			local files = 48
			local owner = start(t, nil, { "prlimit", ("--nofile=%d:%d"):format(files, files) })
			for i = 1, 2 * files do -- their addresses rest for a minute, with a socket each
				local vmid = ask_for_clone(owner, 2, 1, 8001, 16)
				assert.equal(i, vmid)
				owner:take_channel(1).channel:close()
				owner:say("FORKED", vmid, ENOMEM, "")
				owner:next("CLONED")
			end
			owner.channel:close()
		end)
	end)

	it("reaps what the program leaves behind", function()
		puppet.run(function(t)
			local owner = start(t, nil, nil, OUTSIDE)
			local file = t.tmpdir() .. "/pids"
			owner:say("START", 4, 0, "/", "sh", "-c",
				"for i in 1 2 3; do (sleep 1000 & echo $! >>" .. file .. "); done; exec sleep 1000")
			assert.equal(4, (owner:next("DONE")))
			local pids
			t.wait_until(function()
				local f <close> = io.open(file)
				pids = {}
				for line in f and f:lines() or function() end do table.insert(pids, tonumber(line)) end
				return #pids == 3
			end)
			local function parent(pid)
				local stat = procfs.stat(pid)
				return stat and stat.ppid
			end
			for _, pid in ipairs(pids) do
				t.wait_until(function() return parent(pid) == owner.pid end)
				uv.kill(pid, "sigkill")
			end
			for _, pid in ipairs(pids) do
				t.wait_until(function() return not parent(pid) end, nil, "the end of a zombie")
			end
			owner.channel:close()
		end)
	end)

	it("waits where more descriptors are under way than the kernel carries", function()
		puppet.run(function(t)
			local files, clones = 200, 72 -- each holds 2 here and sends 3
			local before = { "prlimit", ("--nofile=%d:%d"):format(files, files) }
			if uv.getuid() == 0 then -- for whom there is no limit
				before = { "setpriv", "--inh-caps=-all", "--bounding-set=-all", table.unpack(before) }
			end
			local owner = start(t, { GRIDCENTRIC_CPUS = "100" }, before)
			owner:say("TICKET_REQUEST", 1, clones, clones, 1, 0)
			local _, code, text, ticket = owner:next("TICKET")
			assert.equal(0, code, text)
			owner.channel:read_stop()
			owner:say("CLONE", 2, ticket, 2, 1, 8001, 16) -- an IPv4 listener
			local socket = ("%s/peer-%d.sock"):format(t.state, owner.pid)
			t.wait_until(function()
				local state = assert(core.control(socket, nil, 5000))
				return #state.domains == clones + 1
			end)
			owner:listen()
			for vmid = 1, clones do assert.equal(vmid, (owner:next("FORK"))) end
			owner.channel:close()
		end)
	end)

	it("ends a clone that was told to while post-clone ran", function()
		puppet.run(function(t)
			local folder = t.tmpdir()
			local file = assert(io.open(folder .. "/post-clone", "w"))
			file:write("#!/bin/sh\nuntil [ -e ", folder, "/go ]; do sleep 0.05; done\n")
			file:close()
			uv.fs_chmod(folder .. "/post-clone", 448)
			local owner = start(t, { GRIDCENTRIC_HOOKS = folder })
			local _, token = ask_for_clone(owner)
			local clone = owner:take_channel():become_process("trap '' TERM;")
			clone:say("HELLO", 1, token, DOMAIN, clone.pid)
			clone:say("READY", 1, 0, "")
			clone:next("WELCOME")
			owner:say("STOP", 3, 1, 500)
			local state
			repeat state = select(2, owner:next("DOMAIN")) until state == STOPPING
			assert(io.open(folder .. "/go", "w")):close()
			local _, code = owner:next("CLONED")
			assert.equal(0, code)
			t.wait_until(function() return clone.signal end)
			assert.equal(9, clone.signal)
			owner:say("EXITED", clone.pid, 9)
			assert.equal(3, (owner:next("DONE")))
			clone.channel:close()
			owner.channel:close()
		end)
	end)
end)
