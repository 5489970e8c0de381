-- limit: 600 s
-- What each backend keeps to, seen by a controller: the same list of statements for processes and
-- for machines. They are made in their order, of one program.

local async = require "spec.support.async"
local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"
local vm = require "spec.support.vm"

if puppet.missing then
	return it("backends", function() pending(puppet.missing) end)
end

local PORT = 8001
local START_MS, CLONE_MS = 120000, 120000
local UNHOOKED, FAILS = 5, 6 -- the clone whose post-clone fails, and the one that does not come up

local function unless(vmid, command)
	return ('#!/bin/sh\n[ "$GC_VMID" != %d ] || %s\n'):format(vmid, command)
end

local POST_CLONE = unless(UNHOOKED, "{ echo no disk; exit 3; }")
local HOOKS = {
	-- of the engine, where a failure is the clone's
	fork = { ["pre-clone"] = unless(FAILS, "exit 1"), ["post-clone"] = POST_CLONE },
	-- of the machine
	qemu = { ["post-clone"] = POST_CLONE .. unless(FAILS, "poweroff -f") },
}

-- ---- a controller ------------------------------------------------------------------

local Backend = {}
Backend.__index = Backend
Backend.__name = "spec backend"

function Backend:say(...) assert(self.p:write((...):format(select(2, ...)) .. "\n")) end

-- The rest of the next line that begins with that.
function Backend:hear(answer)
	return self.p:line("^" .. answer .. " ?(.*)", CLONE_MS)
end

function Backend:clone(n)
	self:say("clone %d", n)
	return self:hear "cloned"
end

-- All that was told of domains: state -> vmids, in order. That the program itself is starting is
-- told of machines only: its agent has spoken.
function Backend:told()
	local told = { starting = {}, ready = {}, ended = {}, failed = {}, cloned = {} }
	for state, vmid in self.p.stdout:gmatch "%f[^\n\0](%a+) ?(%d*)" do
		if told[state] and not (state == "starting" and vmid == "0") then
			table.insert(told[state], tonumber(vmid) or -1)
		end
	end
	return told
end

function Backend:puppet(vmid)
	local ip, port, pid = self.p.stdout:match(("%%f[^\n\0]ready %d (%%S+):(%%d+) (%%d+)"):format(vmid))
	local found = puppet.at(self.t, ip, tonumber(port))
	found.pid = tonumber(pid)
	return found
end

-- How many processes there are, of the controller, the engine and the backend.
function Backend:processes()
	local n = 0
	for _, stat in ipairs(procfs.marked(self.t.mark)) do n = n + (stat.state ~= "Z" and 1 or 0) end
	return n
end

-- What the ledger tells of a hook of a clone that has failed.
function Backend:failed_hook(vmid)
	local p = self.t.spawn { paths.engine, "--print", "events" }
	assert.equal(0, (p:wait()), p:describe())
	for _, event in ipairs(json.decode(p.stdout)) do
		if event.what == "hook failed" and event.vmid == vmid then return event.text end
	end
end

local function start(t, image)
	local hooks = t.tmpdir()
	for name, text in pairs(image and {} or HOOKS.fork) do
		local file <close> = assert(io.open(hooks .. "/" .. name, "w"))
		file:write(text)
		assert(uv.fs_chmod(hooks .. "/" .. name, 493))
	end
	local port = image and PORT or t.free_port()
	local self = setmetatable({ t = t }, Backend)
	self.p = t.spawn { "lua5.4", paths.scripts .. "/backend.lua", tostring(port), image, stdin = true,
		env = { GRIDCENTRIC_CPUS = "8", GRIDCENTRIC_HOOKS = hooks } }
	self.p:line("^ready 0 ", START_MS)
	return self
end

-- ---- the statements ----------------------------------------------------------------

local contract = {
	{ "a clone of n gives n, announced in the order of their numbers", function(b)
		assert.equal("1 2 3", b:clone(3))
		local told = b:told()
		assert.same({ 1, 2, 3 }, told.starting)
		table.sort(told.ready)
		assert.same({ 0, 1, 2, 3 }, told.ready)
	end },
	{ "numbers go on, and are what the clones say of themselves", function(b)
		assert.equal("4", b:clone(1))
		for vmid = 0, 4 do assert.equal(vmid, b:puppet(vmid):call "vmid") end
	end },
	{ "who is killed has ended, once", function(b)
		b:say "stop 4 0"
		b:hear "stopped 4"
		assert.same({ 4 }, b:told().ended)
	end },
	{ "who is stopped with a grace sees SIGTERM, and ends by itself", function(b)
		local gentle = b:puppet(3)
		gentle:eval [[
			local told = client
			kept.signal = uv.new_signal()
			kept.signal:start("sigterm", function() told:write("gently", function() os.exit(0) end) end)
		]]
		b:say "stop 3 20000"
		assert.equal("gently", gentle.connection:read_exactly(6))
		b:hear "stopped 3"
		assert.same({ 4, 3 }, b:told().ended)
	end },
	{ "one that does not come up harms no other", function(b)
		assert.matches("^5: .", b:clone(2))
		b.t.wait_until(function() return b:told().failed[1] end, nil, "its failure")
		assert.same({ FAILS }, b:told().failed)
		assert.same({ 4, 3 }, b:told().ended)
		for _, vmid in ipairs { 0, 1, 2, 5 } do assert.equal(vmid, b:puppet(vmid):call "vmid") end
	end },
	{ "one whose post-clone fails lives, and the ledger tells", function(b)
		local text = b.t.wait_until(function() return b:failed_hook(UNHOOKED) end, nil, "the event")
		assert.equal("post-clone: exit status 3: no disk", text)
	end },
	{ "of a ticket that is not used nothing is left", function(b)
		local before = b:processes()
		b:say "ticket 2"
		b:hear "ticket"
		b:say "release"
		assert.equal("", b:hear "released")
		b.t.wait_until(function() return b:processes() == before end, nil, "the same processes")
	end },
	{ "an operation whose source ends in the middle of it is answered, once", function(b)
		local source = b:puppet(0)
		assert(uv.kill(source.pid, "sigstop"))
		b:say "clone 2"
		b:say "ticket 1"
		b:hear "ticket"
		b:say "release"
		b:hear "released" -- and so has CLONE come
		assert(uv.kill(source.pid, "sigkill"))
		assert.matches("^: .", b:hear "cloned")
		b.t.wait_until(function() return b:told().ended[3] end, nil, "the end of the source")
		assert.equal(0, b:told().ended[3])
	end },
	{ "clones outlive it; each was ready or failed, once, and has ended at most once", function(b)
		for _, vmid in ipairs { 1, 2, 5 } do assert.equal(vmid, b:puppet(vmid):call "vmid") end
		b:say "close"
		b:hear "closed"
		local told, seen = b:told(), {}
		assert.equal(4, #told.cloned)
		for i, vmid in ipairs(told.starting) do assert.is_true(i == 1 or told.starting[i - 1] < vmid) end
		for _, state in ipairs { "ready", "failed" } do
			for _, vmid in ipairs(told[state]) do
				assert.is_nil(seen[vmid])
				seen[vmid] = state
			end
		end
		for _, vmid in ipairs(told.starting) do assert.is_truthy(seen[vmid], vmid) end
		for _, vmid in ipairs(told.ended) do
			assert.equal("ready", seen[vmid])
			seen[vmid] = "ended"
		end
	end },
}

local function check(t, image)
	local backend = start(t, image)
	for _, statement in ipairs(contract) do
		local ok, err = xpcall(statement[2], debug.traceback, backend)
		if not ok then error(("%s: %s"):format(statement[1], err)) end
	end
	assert.equal(0, (backend.p:wait()))
end

describe("the contract of backends is kept by", function()
	it("fork", function()
		async.run(function(t) check(t) end)
	end)

	it("qemu #qemu", function()
		vm.run(function(t)
			check(t, vm.image(t, "contract", {
				files = { ["puppet.lua"] = paths.scripts .. "/puppet.lua" },
				program = ("lua5.4 puppet.lua 0.0.0.0:%d"):format(PORT),
				hooks = HOOKS.qemu,
			}))
		end)
	end)
end)
