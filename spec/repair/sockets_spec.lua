-- Sockets that repair replaces: they keep what the program has set on them.
-- limit: 120 s

local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("repairs sockets", function() pending(puppet.missing) end)
end

local function run(body) puppet.run(body, { timeout_ms = 30000 }) end

-- A master with gridcentric.spec_system as `system`, and its clone after `prepare` has run.
local function clone_after(t, prepare)
	local master = puppet.start(t)
	master:eval("system = require 'gridcentric.spec_system'\n" .. prepare)
	return master:clone(), master
end

-- What the clone and its master see of the descriptors that prepare left in kept.
local LOOK = [[
	local options, found = { %s }, {}
	for name, fd in pairs(kept) do
		local flags = system.flags(fd)
		found[name] = ("nonblock=%%s cloexec=%%s"):format(flags.nonblock, flags.cloexec)
		for _, option in ipairs(options) do
			found[name] = found[name] .. (" %%s=%%s"):format(option, system.get(fd, option))
		end
	end
	return found
]]

local function same_in_both(t, prepare, ...)
	local names = {}
	for i, option in ipairs { ... } do names[i] = ("%q"):format(option) end
	local look = LOOK:format(table.concat(names, ", "))
	local one, master = clone_after(t, prepare)
	local expected = master:eval(look)
	assert.is_not_nil(next(expected))
	assert.same(expected, one:eval(look))
	return one, master
end

describe("a listener of a clone", function()
	it("keeps flags and options of the original", function()
		run(function(t)
			local one, master = same_in_both(t, [[
				kept.blocking, kept.busy = system.socket("inet", "stream"), system.socket("inet", "stream")
				for _, option in ipairs { "TCP_NODELAY", "SO_KEEPALIVE", "SO_REUSEADDR", "SO_OOBINLINE" } do
					system.set(kept.blocking, option, 1)
				end
				system.set(kept.blocking, "TCP_KEEPIDLE", 77)
				system.set(kept.blocking, "TCP_KEEPINTVL", 7)
				system.set(kept.blocking, "TCP_KEEPCNT", 3)
				system.set(kept.blocking, "TCP_USER_TIMEOUT", 12345)
				system.set(kept.blocking, "TCP_DEFER_ACCEPT", 7)
				system.set(kept.blocking, "TCP_FASTOPEN", 5)
				system.set(kept.blocking, "TCP_MAXSEG", 1000)
				system.set(kept.blocking, "SO_RCVBUF", 33333)
				system.set(kept.blocking, "SO_SNDBUF", 44444)
				system.set(kept.blocking, "SO_RCVLOWAT", 9)
				system.set(kept.blocking, "IP_TOS", 0x10)
				system.set(kept.blocking, "IP_TTL", 33)
				for name, fd in pairs(kept) do
					system.bind(fd, "127.0.0.1", 0)
					system.listen(fd, 99)
				end
				system.set_flags(kept.busy, true, true)
			]], "TCP_NODELAY", "SO_KEEPALIVE", "SO_REUSEADDR", "SO_OOBINLINE", "TCP_KEEPIDLE",
				"TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_DEFER_ACCEPT", "TCP_FASTOPEN",
				"TCP_MAXSEG", "SO_RCVBUF", "SO_SNDBUF", "SO_RCVLOWAT", "IP_TOS", "IP_TTL")
			assert.is_false(one:eval("return system.flags(kept.blocking).nonblock"))
			assert.equal(99, one:eval("return system.backlog(kept.busy)"))
			assert.are_not.equal("127.0.0.1", (one:eval("return system.name(kept.busy)")))
			assert.equal("127.0.0.1", (master:eval("return system.name(kept.busy)")))
		end)
	end)

	it("is still the clone's own: a clone of a clone keeps the options, too", function()
		run(function(t)
			local one = clone_after(t, [[
				kept.fd = system.socket("inet", "stream")
				system.set(kept.fd, "TCP_NODELAY", 1)
				system.bind(kept.fd, "0.0.0.0", 0)
				system.listen(kept.fd, 5)
			]])
			local two = one:clone()
			assert.equal(1, two:eval("return system.get(kept.fd, 'TCP_NODELAY')"))
			assert.is_false(two:eval("return system.flags(kept.fd).nonblock"))
			assert.equal(two.ip, (two:eval("return system.name(kept.fd)")))
		end)
	end)
end)

describe("a fresh socket of a clone", function()
	it("keeps flags and options of the original", function()
		run(function(t)
			same_in_both(t, [[
				kept.tcp = system.socket("inet", "stream")
				kept.tcp6 = system.socket("inet6", "stream")
				kept.udp6 = system.socket("inet6", "dgram")
				kept.unix = system.socket("unix", "dgram")
				system.set_flags(kept.tcp, true, false)
				system.set_flags(kept.udp6, false, true)
				system.set(kept.tcp, "TCP_CORK", 1)
				system.set(kept.tcp, "SO_PRIORITY", 4)
				system.set(kept.tcp6, "IPV6_V6ONLY", 1)
				system.set(kept.tcp6, "IPV6_TCLASS", 0x20)
				system.set(kept.udp6, "SO_RCVBUF", 55555)
				system.set(kept.unix, "SO_PASSCRED", 1)
			]], "SO_DOMAIN", "SO_TYPE", "SO_PROTOCOL", "TCP_CORK", "SO_PRIORITY", "IPV6_V6ONLY",
				"IPV6_TCLASS", "SO_RCVBUF", "SO_PASSCRED", "TCP_MAXSEG")
		end)
	end)
end)

describe("a dead connection of a clone", function()
	it("keeps flags and options of the original, each its own", function()
		run(function(t)
			same_in_both(t, [[
				local server = system.socket("inet", "stream")
				system.bind(server, "127.0.0.1", 0)
				system.listen(server, 9)
				local _, port = system.name(server)
				for _, name in ipairs { "plain", "busy", "quick", "alive" } do
					kept[name] = system.socket("inet", "stream")
					system.connect(kept[name], "127.0.0.1", port)
				end
				system.set_flags(kept.busy, true, true)
				system.set(kept.quick, "TCP_NODELAY", 1)
				system.set(kept.alive, "SO_KEEPALIVE", 1)
				system.set(kept.alive, "TCP_KEEPIDLE", 66)
				system.set(kept.alive, "IP_TOS", 8)
			]], "TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE", "IP_TOS")
		end)
	end)
end)

describe("signals of a socket", function()
	it("go to the clone where they went to the master, and to others as before", function()
		run(function(t)
			local one, master = clone_after(t, [[
				kept.self, kept.other = system.socket("inet", "dgram"), system.socket("inet", "dgram")
				local pid = uv.os_getpid()
				system.set_owner(kept.self, pid, 10)
				system.set_owner(kept.other, uv.os_getppid(), 12)
			]])
			local look = "local flags = system.flags(kept.%s) return flags.owner, flags.signal"
			local function of(who, name) return table.pack(who:eval(look:format(name))) end
			assert.same({ one.pid, 10, n = 2 }, of(one, "self"))
			assert.same({ master.pid, 10, n = 2 }, of(master, "self"))
			assert.same(of(master, "other"), of(one, "other"))
		end)
	end)
end)

describe("a UDP socket of a clone", function()
	it("is fresh and unbound where the program is a client", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval([[
				system = require "gridcentric.spec_system"
				kept.clients = {}
				for i = 1, 20 do
					local client = uv.new_udp()
					client:send("x", "127.0.0.1", 9, function() end)
					kept.clients[i] = client
				end
				kept.bare = system.socket("inet", "dgram")
				system.connect(kept.bare, "127.0.0.1", 9)
				kept.loud = system.socket("inet", "dgram")
				system.set(kept.loud, "SO_BROADCAST", 1)
				system.set(kept.loud, "IP_MULTICAST_TTL", 5)
				system.set(kept.loud, "IP_MULTICAST_LOOP", 0)
			]])
			local one = master:clone()
			assert.equal("0.0.0.0 0",
				one:eval("return table.concat({ system.name(kept.clients[1]:fileno()) }, ' ')"))
			local ip, port, peer, peer_port = one:eval("return system.name(kept.bare)")
			assert.same({ "127.0.0.1", "127.0.0.1", 9 }, { ip, peer, peer_port })
			assert.are_not.equal(port, select(2, master:eval("return system.name(kept.bare)")))
			assert.same({ 1, 5, 0 }, { one:eval([[
				return system.get(kept.loud, "SO_BROADCAST"), system.get(kept.loud, "IP_MULTICAST_TTL"),
					system.get(kept.loud, "IP_MULTICAST_LOOP")
			]]) })
		end)
	end)

	it("is unbound for IPv6, too", function()
		run(function(t)
			local one = clone_after(t, [[
				kept.client = uv.new_udp()
				kept.client:send("x", "::1", 9, function() end)
			]])
			assert.equal(0, one:eval("return kept.client:getsockname().port"))
		end)
	end)

	it("of unix is connected where the original was, as that of syslog", function()
		run(function(t)
			local path = t.tmpdir() .. "/log"
			local one, master = clone_after(t, ([[
				kept.log = system.socket("unix", "dgram")
				system.bind_unix(kept.log, %q)
				kept.client = system.socket("unix", "dgram")
				system.connect_unix(kept.client, %q)
			]]):format(path, path))
			assert.equal(5, one:eval("return uv.fs_write(kept.client, 'clone')"))
			assert.equal("clone", master:eval("return uv.fs_read(kept.log, 64)"))
		end)
	end)

	it("gets the answers that a client waits for", function()
		run(function(t)
			local master = puppet.start(t)
			local port = master:eval([[
				local server = uv.new_udp()
				server:bind("127.0.0.1", 0)
				server:recv_start(function(_, data, from)
					if data then server:send("to " .. data, from.ip, from.port, function() end) end
				end)
				kept.port = server:getsockname().port
				kept.client = uv.new_udp()
				kept.client:send("master", "127.0.0.1", kept.port, function() end)
				kept.client:recv_start(function(_, data) kept.answer = data or kept.answer end)
				return kept.port
			]])
			t.wait_until(function() return master:eval("return kept.answer") == "to master" end)
			local one = master:clone()
			one:eval(("kept.client:send('clone', '127.0.0.1', %d, function() end)"):format(port))
			t.wait_until(function() return one:eval("return kept.answer") == "to clone" end)
			assert.equal("to master", master:eval("return kept.answer"))
		end)
	end)

	it("is bound at the clone's address where the program bound it on purpose", function()
		run(function(t)
			local one = clone_after(t, [[
				kept.named = system.socket("inet", "dgram")
				system.bind(kept.named, "127.0.0.1", 0)
				kept.reused = system.socket("inet", "dgram")
				system.set(kept.reused, "SO_REUSEADDR", 1)
				system.bind(kept.reused, "0.0.0.0", 0)
				kept.low = system.socket("inet", "dgram")
				for port = 20000, 32000 do
					if pcall(system.bind, kept.low, "0.0.0.0", port) then break end
				end
			]])
			for _, name in ipairs { "named", "reused", "low" } do
				assert.equal(one.ip, (one:eval(("return system.name(kept.%s)"):format(name))), name)
			end
		end)
	end)
end)

describe("a program with many listeners", function()
	local LISTEN = [[
		for i = 1, %d do
			kept[i] = system.socket("inet", "stream")
			system.bind(kept[i], "127.0.0.1", 0)
			system.listen(kept[i], 5)
		end
	]]

	it("is cloned with all of them", function()
		run(function(t)
			local one = clone_after(t, LISTEN:format(40))
			for i = 1, 40 do
				local ip, port = one:eval(("return system.name(kept[%d])"):format(i))
				assert.equal(one.ip, ip)
				assert(t.connect { host = ip, port = port }):close()
			end
		end)
	end)

	it("is refused with the number where they are too many", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval("system = require 'gridcentric.spec_system'\n" .. LISTEN:format(70))
			local ticket = assert(master:call("request_ticket", 1, 1, 1, 5000))
			local vmid, err, code = master:call("clone", ticket)
			assert.equal(-1, vmid)
			assert.equal("E2BIG", code)
			assert.equal("E2BIG: the program listens on 71 ports; at most 62 can be cloned", err)
		end)
	end)
end)
