-- Leases of addresses: sockets that exist before the clone does, and answer with a
-- reset after it.

local uv = require "luv"
local async = require "spec.support.async"
local parts = require "spec.support.parts"
local procfs = require "spec.support.procfs"

local inet, inet6, stream, dgram = 2, 10, 1, 2
local quarantine_ms = 60000

local function tcp(port, family)
	return { family = family or inet, type = stream, port = port, backlog = 16 }
end

local function udp(port) return { family = inet, type = dgram, port = port } end

-- Parts with a block claimed, and its number.
local function open(t)
	local p = parts.open(t)
	return p, assert(p.core:addresses())
end

-- A connection to a lease, accepted by nobody here.
local function connect(t, ip, port)
	return assert(t.connect{ host = ip, port = port })
end

local function assert_reset(c) assert.same({ nil, "ECONNRESET" }, { c:read() }) end

-- A new connection is reset: before or after luv has seen that it was made.
local function assert_resets(t, ip, port)
	local c, err = t.connect{ host = ip, port = port }
	if c then assert_reset(c) else assert.equal("ECONNRESET", err) end
end

local function lease_one(p, listener)
	local id, ip, fds = p.core:lease{ listener }
	assert(id, ip)
	return id, ip, fds[1]
end

-- A descriptor that is closed at the end.
local function owned(t, fd)
	t.defer(function() uv.fs_close(fd) end)
	return fd
end

-- What the clone does with its copy of a lease's socket: accepts, and says hello.
-- Gives a function that ends the clone.
local function run_clone(p, fd)
	local server = uv.new_tcp()
	local peers = {}
	assert(server:open(p.core:clone_socket(fd)))
	assert(server:listen(16, function(err)
		assert(not err, err)
		local peer = uv.new_tcp()
		peers[#peers + 1] = peer
		assert(server:accept(peer))
		peer:write("hello")
	end))
	return function()
		server:close()
		for _, peer in ipairs(peers) do peer:close() end
	end
end

describe("a block of addresses", function()
	it("is another one for each engine of the machine, and free after it", function()
		async.run(function(t)
			local _, first = open(t)
			local other, second = open(t)
			assert.is_true(first >= 64 and second > first)
			other:close()
			assert.equal(second, (select(2, open(t))))
		end)
	end)
end)

describe("a lease", function()
	it("gives addresses in order, with a listening socket for each port", function()
		async.run(function(t)
			local p, block = open(t)
			local port, other = t.free_port(), t.free_port()
			for i = 1, 3 do
				local _, ip, fds = p.core:lease{ tcp(port), tcp(other) }
				assert.equal(("127.%d.0.%d"):format(block, i), ip)
				assert.equal(2, #fds)
				connect(t, ip, port)
				connect(t, ip, other)
			end
		end)
	end)

	it("can be without sockets", function()
		async.run(function(t)
			local _, ip, fds = open(t).core:lease{}
			assert.matches("^127%.", ip)
			assert.same({}, fds)
		end)
	end)

	it("serves IPv4 connections by an IPv6 socket", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local _, ip = lease_one(p, tcp(port, inet6))
			connect(t, ip, port)
		end)
	end)

	it("can lie beside a listener on the wildcard address that shares its port", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local _, first = lease_one(p, tcp(port))
			local _, second = lease_one(p, tcp(port))
			assert.not_equal(first, second)
			connect(t, first, port)
			connect(t, second, port)
		end)
	end)

	it("takes TCP and UDP on one port", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local _, ip, fds = p.core:lease{ tcp(port), udp(port) }
			assert.equal(2, #fds, ip)
		end)
	end)

	it("names address and port when somebody else sits there, and takes the next", function()
		async.run(function(t)
			local p, block = open(t)
			local port = t.free_port()
			local squatter = uv.new_tcp()
			t.defer(function() squatter:close() end)
			assert(squatter:bind(("127.%d.0.1"):format(block), port))
			assert(squatter:listen(1, function() end))
			local before = procfs.descriptors("self")
			assert.same({ nil, ("127.%d.0.1 port %d: Address already in use"):format(block, port),
				"EADDRINUSE" }, { p.core:lease{ tcp(t.free_port()), tcp(port) } })
			assert.same(before, procfs.descriptors("self"))
			assert.equal(("127.%d.0.2"):format(block), (select(2, lease_one(p, tcp(port)))))
		end)
	end)

	it("refuses what no program can listen on", function()
		async.run(function(t)
			local p = open(t)
			for _, listener in ipairs{
				{ family = 1, type = stream, port = 80 },
				{ family = inet, type = 3, port = 80 },
				{ family = inet, type = stream, port = 0 },
				{ family = inet, type = stream, port = 65536 },
				{ family = inet, type = stream, port = -1 },
			} do
				assert.equal("EINVAL", (select(3, p.core:lease{ listener })))
			end
			local many = {}
			for i = 1, 63 do many[i] = tcp(20000 + i) end
			assert.same({ nil, "63 listeners, more than 62", "E2BIG" }, { p.core:lease(many) })
		end)
	end)

	it("keeps its connections until the clone accepts them", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local _, ip, fd = lease_one(p, tcp(port))
			local c = connect(t, ip, port)
			t.defer(run_clone(p, fd))
			assert.equal("hello", c:read())
		end)
	end)
end)

describe("a retired lease", function()
	it("resets what waits, what is new, and nothing that other leases have", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local id, ip, fd = lease_one(p, tcp(port))
			local _, other_ip, other_fd = lease_one(p, tcp(port))
			t.defer(run_clone(p, other_fd))
			local stop = run_clone(p, fd)
			assert.equal("hello", connect(t, ip, port):read())
			stop()
			local waiting = connect(t, ip, port)
			p.core:retire(id)
			assert_reset(waiting)
			for _ = 1, 200 do assert_resets(t, ip, port) end
			assert.equal("hello", connect(t, other_ip, port):read())
		end)
	end)

	it("does not leave its connections to a master on the wildcard address", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			owned(t, p.core:master(port)) -- accepts nothing: what it gets hangs
			local id, ip = lease_one(p, tcp(port))
			p.core:retire(id)
			for _ = 1, 50 do assert_resets(t, ip, port) end
		end)
	end)

	for _, way in ipairs{ "blocking", "shutdown" } do
		it("resets connections after a clone that left its socket in " .. way, function()
			async.run(function(t)
				local p = open(t)
				local port = t.free_port()
				owned(t, p.core:master(port))
				local id, ip, fd = lease_one(p, tcp(port))
				local copy = p.core:clone_socket(fd)
				p.core:spoil(copy, way)
				uv.fs_close(copy)
				p.core:retire(id)
				for _ = 1, 3 do assert_resets(t, ip, port) end
			end)
		end)
	end

	it("has its datagrams dropped", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local id, ip, fd = lease_one(p, udp(port))
			local clone, sender = uv.new_udp(), uv.new_udp()
			t.defer(function() sender:close() end)
			t.defer(function() clone:close() end)
			assert(clone:open(p.core:clone_socket(fd)))
			local got = {}
			assert(clone:recv_start(function(_, data) got[#got + 1] = data end))
			local function send(text)
				t.suspend("sending", nil, function(wake) sender:send(text, ip, port, wake) end)
			end
			send("one")
			t.wait_until(function() return got[1] end)
			p.core:retire(id)
			send("two") -- arrives while the call is under way
			local turns = 0
			t.wait_until(function()
				turns = turns + 1
				return turns == 3
			end)
			assert.same({ "one" }, got)
		end)
	end)

	it("is leased again after its quarantine, with new sockets", function()
		async.run(function(t)
			local p = open(t)
			local port, other = t.free_port(), t.free_port()
			local id, ip, fd = lease_one(p, tcp(port))
			p.core:spoil(fd, "shutdown")
			p.core:retire(id)
			p.core:age(quarantine_ms - 1000)
			assert.not_equal(ip, (select(2, lease_one(p, tcp(port)))))
			p.core:age(1000)
			local _, again, fds = p.core:lease{ tcp(port), tcp(other) }
			assert.equal(ip, again)
			t.defer(run_clone(p, fds[1]))
			t.defer(run_clone(p, fds[2]))
			assert.equal("hello", connect(t, ip, port):read())
			assert.equal("hello", connect(t, ip, other):read())
		end)
	end)

	it("goes on resetting when it cannot be leased again", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local id, ip = lease_one(p, tcp(port))
			p.core:retire(id)
			p.core:age(quarantine_ms)
			assert.is_nil((p.core:lease{ tcp(port), tcp(-1) }))
			assert_resets(t, ip, port)
			assert.not_equal(ip, (select(2, lease_one(p, tcp(port)))))
		end)
	end)

	it("does not add descriptors when it is leased again", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local id = lease_one(p, tcp(port))
			local before = procfs.descriptors("self")
			for _ = 1, 100 do
				p.core:retire(id)
				p.core:age(quarantine_ms)
				id = lease_one(p, tcp(port))
			end
			local n = 0
			for fd in pairs(procfs.descriptors("self")) do n = n + (before[fd] and 0 or 1) end
			assert.is_true(n <= 1)
		end)
	end)

	it("does not spin without descriptors, and resets what waited when there are some", function()
		async.run(function(t)
			local p = open(t)
			local port = t.free_port()
			local id, ip = lease_one(p, tcp(port))
			local c = connect(t, ip, port)
			assert(c:write("unread")) -- so that any end of it is a reset: under valgrind it accepts
			p.core:limit_descriptors(true)
			p.core:retire(id)
			local first, second = p.core:turn(0), p.core:turn(0)
			p.core:limit_descriptors(false)
			assert.same({ 1, 0 }, { first, second })
			assert_reset(c)
		end)
	end)
end)
