-- What each host keeps to (csrc/engine/core/host.h): the same statements for all of them. To add
-- a host: a line in `hosts`.

local async = require "spec.support.async"
local engine_host = require "gridcentric.engine_host"
local parts = require "spec.support.parts"
local procfs = require "spec.support.procfs"
local uv = require "luv"

if parts.needs_pidfd() then
	return it("hosts", function() pending(parts.needs_pidfd()) end)
end

local hosts = {
	["local"] = function(handler) return assert(engine_host.open("local", handler)) end,
}

local SIGTERM, SIGKILL = 15, 9

local function tcp(port) return { family = 2, type = 1, port = port, backlog = 16 } end

local Host = {}
Host.__index = Host

-- The wait status with which a process has ended, once its end was reported.
function Host:exited(pid)
	self.t.wait_until(function() return self.events[pid] end, nil, ("the end of %d"):format(pid))
	return self.events[pid].status
end

local function open(t, make)
	local self = setmetatable({ t = t, events = {} }, Host)
	self.core = make(function(what, pid, status)
		assert.equal("exited", what)
		assert.is_true(self.in_turn, "reported from inside a call")
		assert.is_nil(self.events[pid], "reported twice")
		self.events[pid] = { status = status }
	end)
	local poll = uv.new_poll(self.core:fd())
	poll:start("r", function()
		self.in_turn = true
		self.core:turn()
		self.in_turn = false
	end)
	t.defer(function()
		poll:close()
		self.core:close()
	end)
	return self, self.core
end

-- Lets the loop turn some times: what was to come has come.
local function settle(t)
	local turns = 0
	t.wait_until(function()
		turns = turns + 1
		return turns == 5
	end)
end

local contract = {
	{ "it has a name, by which placements are made there", function(_, core)
		assert.matches("%S", core:name())
	end },
	{ "each lease is another address, with a listening socket for each port", function(t, core)
		local port, seen = t.free_port(), {}
		for _ = 1, 3 do
			local _, ip, fds = assert(core:lease { tcp(port) })
			assert.is_nil(seen[ip])
			seen[ip] = true
			assert.equal(1, #fds)
			assert(t.connect { host = ip, port = port })
		end
	end },
	{ "a lease can be without sockets", function(_, core)
		local _, ip, fds = assert(core:lease {})
		assert.matches("%S", ip)
		assert.same({}, fds)
	end },
	{ "an impossible lease is refused, and holds nothing", function(_, core)
		local before = procfs.descriptors "self"
		assert.is_nil((core:lease { tcp(-1) }))
		assert.same(before, procfs.descriptors "self")
	end },
	{ "a retired lease resets connections that wait, and new ones", function(t, core)
		local port = t.free_port()
		local id, ip = assert(core:lease { tcp(port) })
		local waiting = assert(t.connect { host = ip, port = port })
		core:retire(id)
		assert.same({ nil, "ECONNRESET" }, { waiting:read() })
		local late, err = t.connect { host = ip, port = port }
		if late then err = select(2, late:read()) end
		assert.equal("ECONNRESET", err)
	end },
	{ "descriptors come back from retired leases only", function(t, core)
		local port = t.free_port()
		assert.equal(0, core:relieve())
		local _, ip = assert(core:lease { tcp(port) })
		local retired = assert(core:lease { tcp(port), tcp(t.free_port()) })
		assert.equal(0, core:relieve())
		core:retire(retired)
		assert.equal(2, core:relieve())
		assert.equal(0, core:relieve())
		assert(t.connect { host = ip, port = port })
	end },
	{ "a process is started, and its end reported once, with its status", function(_, core, host)
		local pid = assert(core:start("sh", "-c", "exit 7"))
		assert.equal(7 << 8, host:exited(pid))
	end },
	{ "what cannot be started is an error at once", function(_, core)
		assert.equal("ENOENT", (select(3, core:start "/nowhere/at/all")))
	end },
	{ "signals reach a process, and its status tells", function(_, core, host)
		local pid = assert(core:start("sleep", "1000"))
		core:kill(pid, SIGTERM)
		assert.equal(SIGTERM, host:exited(pid))
	end },
	{ "a signal for one that has ended does nothing", function(_, core, host)
		local pid = assert(core:start "true")
		assert.equal(0, host:exited(pid))
		core:kill(pid, SIGKILL)
	end },
	{ "a process that another one started is watched, its status unknown", function(t, core, host)
		local parent = t.spawn { "sh", "-c", "sleep 1000 & echo $!; wait" }
		local pid = math.tointeger(tonumber((parent:line "^(%d+)$")))
		assert(core:watch(pid))
		assert.equal(parent.pid, core:parent_of(pid))
		core:kill(pid, SIGKILL)
		assert.equal(-1, host:exited(pid))
		parent:wait()
	end },
	{ "there is nothing to watch where there is no process", function(_, core)
		assert.equal("ESRCH", (select(3, core:watch(1 << 30))))
	end },
	{ "the end of a process that was forgotten is not reported", function(t, core, host)
		local parent = t.spawn { "sh", "-c", "sleep 1000 & echo $!; wait" }
		local pid = math.tointeger(tonumber((parent:line "^(%d+)$")))
		assert(core:watch(pid))
		core:forget(pid)
		uv.kill(pid, "sigkill")
		parent:wait()
		settle(t)
		assert.is_nil(host.events[pid])
	end },
	{ "each process has a lifeline of its own, and all end together", function(t, core)
		local ended, pipes = 0, {}
		for i = 1, 2 do
			pipes[i] = uv.new_pipe(false)
			assert(pipes[i]:open(assert(core:lifeline())))
			pipes[i]:read_start(function(_, data)
				assert.is_nil(data)
				ended = ended + 1
			end)
		end
		settle(t)
		assert.equal(0, ended)
		core:cut_lifelines()
		t.wait_until(function() return ended == 2 end)
		for _, pipe in ipairs(pipes) do pipe:close() end
	end },
}

for name, make in pairs(hosts) do
	describe(("the contract of hosts, kept by %s:"):format(name), function()
		for _, statement in ipairs(contract) do
			it(statement[1], function()
				async.run(function(t)
					local host, core = open(t, make)
					statement[2](t, core, host)
				end)
			end)
		end
	end)
end
