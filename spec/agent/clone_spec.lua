-- The agent of a VM at a clone: what it does to the machine, and in which order. The snapshot is
-- left out: to the agent, a clone is that IDENTITY comes with another vmid.

local agent = require "spec.support.agent"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local uv = require "luv"

if agent.missing_root then
	return it("the agent at a clone", function() pending(agent.missing_root) end)
end

local program = paths.scripts .. "/vm_program.lua"
local random = ("r"):rep(64)

-- An agent whose program serves port 8001.
local function boot(t, options, ...)
	options = options or {}
	table.move({ "lua5.4", program, ... }, 1, 2 + select("#", ...), 1, options)
	local identity = { host = "master", port = 8001, cards = options.cards }
	local engine = agent.boot(t, options, identity)
	assert.same({ 0, 0, "" }, engine:expect "READY")
	return engine
end

-- READY is said first.
local function goes_on(t, engine)
	t.wait_until(function() return not engine:frozen() end, nil, "programs to go on")
end

local function prepare(engine, snapshot)
	engine:send("PREPARE", snapshot or 1)
	assert.same({ snapshot or 1, 0, "" }, engine:expect "PREPARED")
end

local LISTENER = [[
	local uv = require "luv"
	local server = uv.new_tcp()
	assert(server:bind(%q, 8001))
	assert(server:listen(1, print))
	uv.run()
]]

describe("the program of the agent", function()
	it("gets its port, and is ready when it listens there", function()
		agent.run(function(t)
			local engine = boot(t)
			engine.process:line "serving"
			assert.is_false(engine:frozen())
		end)
	end)

	it("gives its exit status to the agent", function()
		agent.run(function(t)
			local engine = agent.boot(t, { "sh", "-c", "exit 7" }, { port = 8001 })
			local _, code, text = table.unpack(engine:expect "READY")
			assert.same({ -4009, "the program ended: exit status 7" }, { code, text })
			assert.equal(7, (engine.process:wait()))
		end)
	end)

	it("that is none is told", function()
		agent.run(function(t)
			local engine = agent.boot(t, { "/nowhere/program" })
			assert.matches("/nowhere/program: No such file", engine:expect("READY")[3])
			assert.equal(127, (engine.process:wait()))
		end)
	end)

	it("that nobody outside reaches is not ready, and told why", function()
		agent.run(function(t)
			if agent.missing_cards then pending(agent.missing_cards) end
			for _, address in ipairs{ "127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1" } do
				local engine = agent.boot(t, { "lua5.4", "-e", LISTENER:format(address) },
					{ port = 8001, cards = agent.cards })
				local _, code, text = table.unpack(engine:expect "READY")
				assert.equal(-99, code)
				assert.equal("the program listens on 127.0.0.1:8001 only; in a VM it has to listen on "
					.. "0.0.0.0, see $HOST", text)
			end
		end)
	end)

	it("of a VM without a port is ready when it listens, and noted where nobody gets there", function()
		agent.run(function(t)
			for address, note in pairs{ ["0.0.0.0"] = "", ["127.0.0.1"] = "the program listens on "
				.. "127.0.0.1:8001 only; in a VM it has to listen on 0.0.0.0, see $HOST" } do
				local engine = agent.boot(t, { "lua5.4", "-e", LISTENER:format(address) }, {})
				assert.same({ 0, 0, note }, engine:expect "READY")
			end
			assert.same({ 0, 0, "" }, agent.boot(t, { "sleep", "1000" }, {}):expect "READY")
		end)
	end)

	it("gets the agent's SIGTERM", function()
		agent.run(function(t)
			local engine = boot(t)
			engine.process:kill "sigterm"
			assert.equal(128 + 15, (engine.process:wait()))
		end)
	end)
end)

-- A program that listens on port 8001 until the file "closed" is there, and again without it.
local FICKLE = [[
	local uv = require "luv"
	local path, server = %q, nil
	local timer = uv.new_timer()
	timer:start(0, 5, function()
		local is_closed = uv.fs_stat(path) ~= nil
		if is_closed and server then server:close() server = nil end
		if is_closed or server then return end
		server = uv.new_tcp()
		assert(server:bind("0.0.0.0", 8001))
		assert(server:listen(1, print))
	end)
	uv.run()
]]

describe("a clone whose port does not answer", function()
	local function boot_fickle(t)
		local path = t.tmpdir() .. "/closed"
		local engine = agent.boot(t, { "lua5.4", "-e", FICKLE:format(path) }, { port = 8001 })
		assert.same({ 0, 0, "" }, engine:expect "READY")
		return engine, path
	end

	-- Has the program of the master listen no more.
	local function close(t, engine, path)
		io.open(path, "w"):close()
		t.wait_until(function() return engine:inside("ss -Hltn 'sport = 8001'") == "" end, nil,
			"the end of the listener")
	end

	it("is not ready, and says so", function()
		agent.run(function(t)
			local engine, path = boot_fickle(t)
			close(t, engine, path)
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 1, random = random, port = 8001 }
			assert.same({ 1, -111, "nothing listens on port 8001 in the machine" },
				engine:expect "READY")
		end)
	end)

	it("is ready when its post-clone has seen to that", function()
		agent.run(function(t)
			local engine, path = boot_fickle(t)
			agent.hook(engine, "post-clone", ("rm %q; echo up again; exit 1"):format(path))
			close(t, engine, path)
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 1, random = random, port = 8001 }
			assert.same({ 1, 0, "post-clone: exit status 1: up again" }, engine:expect "READY")
			assert.matches(":8001", engine:inside "ss -Htln")
		end)
	end)
end)

describe("a VM that is to end", function()
	it("tells the program, and says when it has ended", function()
		agent.run(function(t)
			local engine = boot(t)
			engine:send("STOP", 0, 0, 1000)
			assert.equal(15, engine:expect("EXITED")[2]) -- a wait status
		end)
	end)

	it("finds a program that has a unit of its own by its port", function()
		agent.run(function(t)
			local engine = agent.start(t)
			engine:expect "HELLO"
			local file = t.tmpdir() .. "/closed"
			local p = t.spawn{ "nsenter", "-t", tostring(engine.process.pid), "-m", "-n", "--", "lua5.4",
				"-e", FICKLE:format(file) }
			engine:identity{ port = 8001 }
			assert.same({ 0, 0, "" }, engine:expect "READY")
			engine:send("STOP", 0, 0, 1000)
			assert.same({ 0, 0 }, engine:expect "EXITED")
			assert.equal(15, (select(2, p:wait())))
		end)
	end)

	it("has nothing to wait for where nothing listens", function()
		agent.run(function(t)
			local engine = agent.boot(t)
			engine:send("STOP", 0, 0, 1000)
			assert.same({ 0, 0 }, engine:expect "EXITED")
		end)
	end)
end)

describe("a snapshot", function()
	it("finds all standing still, until the source is told to go on", function()
		agent.run(function(t)
			local engine = boot(t)
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			prepare(engine)
			assert.is_true(engine:frozen())
			one:send("LIST", 1) -- waits: nothing is said now
			local late = agent.connect(t, engine)
			engine:identity{ snapshot = 1, host = "master" }
			local op = engine:expect("LIST")[1]
			assert.is_false(engine:frozen())
			engine:send("DOMAINS", op)
			assert.same({ 1 }, one:expect "DOMAINS")
			late:expect "WELCOME"
			prepare(engine, 2)
		end)
	end)

	it("is refused where pre-clone fails, and life goes on", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "pre-clone", "echo $GC_VMID disk full; exit 3")
			engine:send("PREPARE", 4)
			assert.same({ 4, -4007, "pre-clone: exit status 3: 0 disk full" },
				engine:expect "PREPARED")
			assert.is_false(engine:frozen())
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			one:send("LIST", 1)
			engine:expect "LIST"
		end)
	end)

	it("has programs go on while pre-clone runs", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "pre-clone", ("while ! [ -e '%s/go' ]; do sleep 0.01; done")
				:format(engine.dir))
			engine:send("PREPARE", 1)
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			one:send("LIST", 1)
			engine:expect "LIST"
			io.open(engine.dir .. "/go", "w"):close()
			assert.same({ 1, 0, "pre-clone: exit status 0" }, engine:expect "PREPARED")
		end)
	end)

	it("that is given up while pre-clone runs leaves nothing behind", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "pre-clone", 'echo $$ >"$0.part"; mv "$0.part" "$0.pid"; exec sleep 1000')
			engine:send("PREPARE", 1)
			local file = t.wait_until(function() return io.open(engine.dir .. "/pre-clone.pid") end)
			local pid = file:read "n"
			file:close()
			engine:identity{ snapshot = 1, host = "master" }
			t.wait_until(function() return not procfs.alive(pid) end, nil, "the end of pre-clone")
			assert.is_false(engine:frozen())
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			one:send("LIST", 1)
			engine:expect "LIST" -- and no PREPARED
			agent.hook(engine, "pre-clone", "echo again")
			engine:send("PREPARE", 2)
			assert.same({ 2, 0, "pre-clone: again" }, engine:expect "PREPARED")
			assert.is_true(engine:frozen())
		end)
	end)

	it("is refused while another is prepared, which goes on", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "pre-clone", ("while ! [ -e '%s/go' ]; do sleep 0.01; done")
				:format(engine.dir))
			engine:send("PREPARE", 1)
			engine:send("PREPARE", 2)
			assert.same({ 2, -16, "the VM is being prepared already" }, engine:expect "PREPARED")
			io.open(engine.dir .. "/go", "w"):close()
			assert.same({ 1, 0, "pre-clone: exit status 0" }, engine:expect "PREPARED")
		end)
	end)

	it("tells what pre-clone had to say", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "pre-clone", "echo flushed $GC_VMID")
			engine:send("PREPARE", 1)
			assert.same({ 1, 0, "pre-clone: flushed 0" }, engine:expect "PREPARED")
		end)
	end)
end)

-- The MAC and the address of a network card.
local function card(engine, name)
	return engine:inside("ip link show " .. name):match "ether (%S+)",
		engine:inside("ip -4 addr show " .. name):match "inet (%S+)"
end

local no_card = { "", "", "" }

describe("a clone", function()
	it("is another machine: host name, machine id, addresses", function()
		agent.run(function(t)
			if agent.missing_cards then pending(agent.missing_cards) end
			local engine = boot(t, { cards = agent.cards })
			assert.same({ "52:54:67:63:00:00", "10.0.2.15/24" }, { card(engine, "first") })
			assert.same({ "52:54:67:63:00:01", "10.77.0.1/16" }, { card(engine, "second") })
			assert.matches("default via 10.0.2.2 dev first", engine:inside "ip route")
			local id = engine:inside "cat /etc/machine-id"
			assert.equal("0123456789abcdef0123456789abcdef", id)
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 5, host = "clone-5", random = random, port = 8001,
				cards = { agent.cards[1], { "52:54:67:63:00:06", "10.77.0.6/16", "" } } }
			assert.same({ 5, 0, "" }, engine:expect "READY")
			assert.equal("clone-5", engine:inside "hostname")
			assert.same({ "52:54:67:63:00:00", "10.0.2.15/24" }, { card(engine, "first") })
			assert.same({ "52:54:67:63:00:06", "10.77.0.6/16" }, { card(engine, "second") })
			assert.matches("default via 10.0.2.2 dev first", engine:inside "ip route")
			assert.matches("^" .. ("%x"):rep(32) .. "$", engine:inside "cat /etc/machine-id")
			local own = engine:inside "cat /etc/machine-id"
			assert.not_equal(id, own)
			local HOSTS = "127.0.0.1\tlocalhost\n127.0.1.1\t%s\t# gridcentric"
			assert.equal(HOSTS:format "clone-5", engine:inside "cat /etc/hosts")
			-- what journald writes to is found under the new name, also in the clone of a clone
			assert.equal(id, engine:inside("readlink /var/log/journal/" .. own))
			prepare(engine, 2)
			engine:identity{ snapshot = 2, vmid = 6, host = "c-6", random = random, port = 8001,
				cards = agent.cards }
			assert.same({ 6, 0, "" }, engine:expect "READY")
			assert.equal(id, engine:inside "readlink /var/log/journal/$(cat /etc/machine-id)")
			assert.equal(HOSTS:format "c-6", engine:inside "cat /etc/hosts")
		end)
	end)

	it("tells each program what it is now, and the asker its own operation", function()
		agent.run(function(t)
			local engine = boot(t)
			local one, two = agent.connect(t, engine), agent.connect(t, engine)
			one:expect "WELCOME"
			two:expect "WELCOME"
			one:send("CLONE", 8, "uuid")
			local op = engine:expect("CLONE")[1]
			two:send("CLONE", 8, "other")
			local other = engine:expect("CLONE")[1]
			two:send "WATCH"
			engine:expect "WATCH"
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 2, op = op, host = "clone-2", random = random,
				port = 8001 }
			assert.same({ 2, 8, "" }, one:expect "BECOME")
			assert.same({ 2, 0, "" }, two:expect "BECOME")
			assert.same({ 2, 0, "" }, engine:expect "READY")
			goes_on(t, engine)
			-- what was under way is the master's, and nobody watches
			engine:send("CLONED", op, 0, "")
			engine:send("CLONED", other, 0, "")
			engine:send("DOMAIN", 1, 1, 0, 0, "10.77.0.2", 80, "uuid", "")
			for _, p in ipairs{ one, two } do
				p:send("LIST", 9)
				engine:send("DOMAINS", engine:expect("LIST")[1])
				assert.same({ 9 }, p:expect "DOMAINS")
			end
			-- and it can be cloned
			prepare(engine, 2)
			engine:identity{ snapshot = 2, vmid = 3, random = random, port = 8001 }
			assert.same({ 3, 0, "" }, one:expect "BECOME")
			assert.same({ 3, 0, "" }, engine:expect "READY")
		end)
	end)

	it("has none of the master's connections to others", function()
		agent.run(function(t)
			if agent.missing_cards then pending(agent.missing_cards) end
			local engine = boot(t, { cards = agent.cards }, "127.0.0.1", "10.77.0.1")
			engine.process:line "serving"
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 1, random = random, port = 8001,
				cards = agent.cards }
			engine:expect "READY"
			engine.process:line "^10.77.0.1\tECONN"
			assert.is_nil(engine.process.stdout:find("127.0.0.1", 1, true))
			assert.matches("127.0.0.1:8001", engine:inside "ss -Htn state established")
			assert.matches(":8001", engine:inside "ss -Htln")
		end)
	end)

	it("runs post-clone as itself, before programs go on", function()
		agent.run(function(t)
			local engine = boot(t)
			agent.hook(engine, "post-clone", [[hostname >"$0.host"
				echo "$GC_VMID $GC_TICKET $GC_ADDRESS" >"$0.who"
				grep frozen /sys/fs/cgroup/gridcentric/cgroup.events >"$0.frozen"]])
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 4, host = "clone-4", random = random, port = 8001 }
			assert.same({ 4, 0, "" }, engine:expect "READY")
			local function wrote(name)
				local file = assert(io.open(engine.dir .. "/post-clone." .. name))
				return file:read "l", file:close()
			end
			assert.equal("clone-4", (wrote "host"))
			assert.equal("4  ", (wrote "who"))
			assert.equal("frozen 1", (wrote "frozen"))
		end)
	end)

	it("lives where its post-clone fails, which is told", function()
		agent.run(function(t)
			local engine = boot(t)
			local hook = engine.dir .. "/post-clone"
			local function clone(vmid, text)
				prepare(engine, vmid)
				engine:identity{ snapshot = vmid, vmid = vmid, random = random, port = 8001 }
				assert.same({ vmid, 0, text }, engine:expect "READY")
				goes_on(t, engine)
			end
			agent.hook(engine, "post-clone", "echo no disk; exit 1")
			clone(1, "post-clone: exit status 1: no disk")
			assert(uv.fs_chmod(hook, 420))
			clone(2, "post-clone: not executable")
			assert(os.remove(hook))
			clone(3, "")
		end)
	end)

	it("that fails says why, and nothing in it goes on", function()
		local cases = {
			["too few"] = { random = "short" },
			["network card 2: No such device"] = { random = random,
				cards = { no_card, no_card, no_card } },
			["network cards: Argument list too long"] = { random = random,
				cards = { no_card, no_card, no_card, no_card, no_card, no_card, no_card, no_card, no_card } },
			["network card 0: Invalid argument"] = { random = random,
				cards = { { "", "10.0.0.1", "" } } },
		}
		for text, case in pairs(cases) do
			agent.run(function(t)
				if agent.missing_cards then pending(agent.missing_cards) end
				local engine = boot(t)
				prepare(engine)
				engine:identity{ snapshot = 1, vmid = 1, random = case.random, cards = case.cards,
					port = 8001 }
				local vmid, code, told = table.unpack(engine:expect "READY")
				assert.is_true(code < 0)
				assert.matches(text, told, vmid)
				assert.is_true(engine:frozen())
			end)
		end
	end)

	it("draws other random numbers before it does anything else", function()
		agent.run(function(t)
			if os.execute "command -v strace >/dev/null" == nil then pending "needs strace" end
			if agent.missing_cards then pending(agent.missing_cards) end
			local log = t.tmpdir() .. "/strace"
			local engine = boot(t, { cards = agent.cards,
				wrap = { "strace", "-o", log, "-e",
					"trace=ioctl,sethostname,getrandom,sendto,openat,pwrite64,write" } })
			prepare(engine)
			engine:identity{ snapshot = 1, vmid = 1, host = "c", random = random, port = 8001,
				cards = { agent.cards[1], { "52:54:67:63:00:02", "10.77.0.2/16", "" } } }
			engine:expect "READY"
			prepare(engine, 2) -- it has gone on by then
			local file = assert(io.open(log))
			local text = file:read "a"
			file:close()
			local after = text:match 'write%(%d+, "1", 1%)[^\n]*\n(.*)'
			local at = 1
			for _, step in ipairs{ "RNDADDENTROPY", "RNDRESEEDCRNG", "SIOCSIFHWADDR", "SIOCSIFADDR",
				"sendto", "sethostname", "getrandom", "pwrite64", 'write%(%d+, "0", 1%)' } do
				at = assert(after:find(step, at), step .. " is not where it has to be\n" .. after)
			end
		end)
	end)
end)
