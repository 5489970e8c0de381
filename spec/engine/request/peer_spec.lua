-- What an engine makes of an owner, and of clones, that do not do what they should. The
-- owner here speaks the messages itself (spec_wire) and forks nothing.

local core = require "gridcentric.core"
local puppet = require "spec.support.puppet"
local paths = require "spec.support.paths"
local uv = require "luv"
local wire = require "gridcentric.spec_wire"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local INSIDE, DOMAIN = 0, 2 -- enum wire_role
local STOPPING = 2
local NO_PROCESS = 1 << 30 -- above the greatest process number
local EPROTO, EDIED, EREPAIR = -4012, -4009, -4008

local Peer = {}
Peer.__index = Peer

function Peer:say(...) self.channel:write(assert(wire.encode(...))) end

-- The fields of the next message of a type, which those before it are not.
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
	local self = setmetatable({ t = t, channel = channel, bytes = "" }, Peer)
	t.defer(function() if not channel:is_closing() then channel:close() end end)
	self:listen()
	return self
end

-- The far end of the channel that came with a FORK message.
function Peer:take_channel()
	local channel = uv.new_pipe(false)
	self.t.wait_until(function() return self.channel:pending_count() > 0 end)
	assert(self.channel:accept(channel))
	return peer(self.t, channel)
end

-- An engine that is owned by this process; `before` is a program that executes it.
local function start(t, env, before)
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
	owner:say("HELLO", 1, "", INSIDE, math.tointeger(uv.os_getpid()))
	owner:next("WELCOME")
	return owner
end

-- Asks for one clone, and gives the token with which it is to say hello.
local function ask_for_clone(owner)
	owner:say("TICKET_REQUEST", 1, 1, 1, 1, 0)
	local _, code, text, ticket = owner:next("TICKET")
	assert.equal(0, code, text)
	owner:say("CLONE", 2, ticket)
	local vmid, _, token = owner:next("FORK")
	assert.equal(1, vmid)
	return token
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

	it("kills nobody when a clone says that it is process 0", function()
		run(nil, function(_, owner)
			local token = ask_for_clone(owner)
			local clone = owner:take_channel()
			clone:say("HELLO", 1, token, DOMAIN, 0)
			local _, code = owner:next("CLONED")
			assert.equal(EDIED, code)
			lives(owner)
		end)
	end)

	it("bears a clone that failed and was reaped before it was heard", function()
		run(nil, function(_, owner)
			local token = ask_for_clone(owner)
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
			local token = ask_for_clone(owner)
			local clone = owner:take_channel()
			local deaf = t.spawn{ "lua5.4", "-e", [[
				local uv = require "luv"
				uv.new_signal():start("sigterm", function() end)
				print("up")
				io.stdout:flush()
				uv.run()
			]] }
			deaf:line("up")
			clone:say("HELLO", 1, token, DOMAIN, math.tointeger(deaf.pid))
			clone:say("READY", 1, 0, "")
			clone:next("WELCOME")
			owner:say("STOP", 3, 1, 500)
			local state
			repeat state = select(2, owner:next("DOMAIN")) until state == STOPPING
			assert(io.open(folder .. "/go", "w")):close()
			local _, code = owner:next("CLONED")
			assert.equal(0, code)
			assert.same({ 0, 9 }, { deaf:wait() })
			owner:say("EXITED", math.tointeger(deaf.pid), 9)
			assert.equal(3, (owner:next("DONE")))
			clone.channel:close()
			owner.channel:close()
		end)
	end)
end)
