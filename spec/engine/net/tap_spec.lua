-- Taps on a bridge of the engine, in network namespaces that the spec makes, where it
-- has CAP_NET_ADMIN.

local uv = require "luv"
local async = require "spec.support.async"
local faults = require "spec.support.faults"
local paths = require "spec.support.paths"

local script = paths.scripts .. "/engine_tap.lua"
local rights = 'network = "tap" needs CAP_NET_ADMIN, and a /dev/net/tun that may be opened'

local Engine = {}
Engine.__index = Engine
local engines = {} -- that run

-- Runs a line of Lua there (spec/scripts/engine_tap.lua); gives what it returned as texts.
function Engine:run(...)
	assert(self.process:write((...):format(select(2, ...)) .. "\n"))
	local mark, line = self.process:line("^([=!])\t?(.*)")
	assert(mark == "=", line)
	local values = {}
	for value in line:gmatch("[^\t]+") do values[#values + 1] = value end
	return table.unpack(values)
end

function Engine:kill()
	engines[self] = nil
	self.process:kill("sigkill")
	self.process:wait()
end

local function start(t, ...)
	local command = { ... }
	table.move({ "lua5.4", script }, 1, 2, #command + 1, command)
	command.stdin = true
	local engine = setmetatable({ process = t.spawn(command) }, Engine)
	engines[engine] = true
	return engine
end

local function end_all()
	for engine in pairs(engines) do
		engine.process:close_stdin()
		assert.equal(0, (engine.process:wait()), engine.process:describe())
	end
end

-- The first engine in a new network namespace.
local function first(t)
	local engine = start(t, "unshare", "-Urn")
	assert.equal("", engine:run("devices()") or "")
	return engine
end

-- Another one, in the same.
local function beside(t, other)
	return start(t, "nsenter", "--preserve-credentials", "-U", "-n", "-t", tostring(other.process.pid))
end

-- With a bridge of its own. Gives its block, too.
local function open(engine)
	local block = math.tointeger(engine:run "claim()")
	assert.equal("gc" .. block, engine:run("open(%d)", block))
	return engine, block
end

-- Why there can be no tap here, or nil.
local function reason()
	if not os.execute "unshare -Urn true 2>/dev/null" then return "needs `unshare -Urn`" end
	if not os.execute "unshare -Urn sh -c ': <>/dev/net/tun' 2>/dev/null" then
		return "needs /dev/net/tun, readable and writable"
	end
end

local why = reason()

local function in_namespace(body)
	return function()
		if why then pending(why) end
		engines = {}
		async.run(function(t)
			body(t)
			end_all()
		end)
	end
end

-- A Lua literal of the frame by which a VM asks for the gateway's MAC.
local function arp_request(block, host)
	local mac = ("\\x52\\x54\\x68\\x%02x\\0\\x%02x"):format(block, host)
	local ip = ("\\10\\%d\\%d"):format(112 + block // 16, block % 16 * 16)
	return ('"%s%s\\8\\6\\0\\1\\8\\0\\6\\4\\0\\1%s%s\\%d%s%s\\1"'):format(
		("\\xff"):rep(6), mac, mac, ip, host, ("\\0"):rep(6), ip)
end

describe("a bridge of the engine", function()
	it("stands on an address of its own, without IPv6, and is removed", in_namespace(function(t)
		local engine, block = open(first(t))
		assert.equal(64, block)
		assert.equal("gc64", engine:run "devices()")
		assert.not_equal("true", (engine:run "ipv6 'gc64'"))
		local before = engine:run "descriptors()"
		engine:run "bridge(64):close()"
		assert.is_nil((engine:run "devices()"))
		assert.equal(tonumber(before) - 1, tonumber((engine:run "descriptors()")))
		engine:run "bridge(64):close()"
		engine:run "open(64)"
		assert.equal("gc64", engine:run "devices()")
	end))

	it("does not disturb another engine's", in_namespace(function(t)
		local one = open(first(t))
		one:run "tap(64, 0)"
		local two, block = open(beside(t, one))
		assert.equal(65, block)
		two:run "tap(65, 0)"
		assert.equal("gc64 gc64v0 gc65 gc65v0", one:run "devices()")
		two:run "bridge(65):close()"
		assert.equal("gc64 gc64v0 gc65v0", one:run "devices()")
	end))

	it("does not take the place of somebody else's", in_namespace(function(t)
		local engine = first(t)
		for _, name in ipairs{ "gc", "gc64", "gc70", "gc70x", "gc71v1", "br0" } do
			engine:run("foreign %q", name)
		end
		engine:run "claim()"
		local before = engine:run "descriptors()"
		assert.same({ "nil", "bridge gc64: File exists", "EEXIST" }, { engine:run "open(64)" })
		assert.equal(before, (engine:run "descriptors()"))
		assert.equal("br0 gc gc64 gc70 gc70x gc71v1", engine:run "devices()")
	end))

	it("that a killed engine left is removed by the next one", in_namespace(function(t)
		local holder = first(t) -- keeps the namespace
		local one, two = open(beside(t, holder)), open(beside(t, holder))
		one:run "tap(64, 0)"
		two:run "tap(65, 0)"
		one:kill()
		two:kill()
		t.wait_until(function() return holder:run "devices()" == "gc64 gc65" end, nil,
			"the end of the taps")
		assert.equal(64, select(2, open(beside(t, holder))))
		assert.equal("gc64", holder:run "devices()")
	end))

	it("is made anew while a VM of the killed one still has its tap", in_namespace(function(t)
		local holder = first(t)
		local one = open(beside(t, holder))
		one:run "tap(64, 0)"
		local pid = math.tointeger(one:run "hold(64, 0)")
		one:kill()
		local two = open(beside(t, holder))
		assert.equal("gc64", two:run "devices()")
		assert.equal("gc64v0", (select(2, two:run "tap(64, 0)")))
		uv.kill(pid, "sigkill")
		assert.equal("gc64 gc64v0", two:run "devices()")
	end))

	it("is not made where the list of devices is not whole", in_namespace(function(t)
		for _, fault in ipairs{ "done", "overrun" } do
			local engine = start(t, "unshare", "-Urn", "env", faults.netlink(fault))
			engine:run "claim()"
			local text = "bridge gc64: No buffer space available"
			assert.same({ "nil", text, "ENOBUFS" }, { engine:run "open(64)" })
		end
	end))

	it("is made where devices come and go meanwhile", in_namespace(function(t)
		local engine = start(t, "unshare", "-Urn", "env", faults.netlink "changed:2")
		engine:run "claim()"
		assert.equal("gc64", (engine:run "open(64)"))
		assert.equal("gc64", (engine:run "devices()"))
	end))

	it("finds all that are left, however many", in_namespace(function(t)
		local engine = first(t)
		for block = 100, 169 do
			engine:run("open(%d)", block)
			engine:run("bridge(%d):abandon()", block)
		end
		local _, block = open(beside(t, engine))
		assert.equal("gc" .. block, engine:run "devices()")
	end))
end)

describe("a tap", function()
	it("has name, MAC, address and gateway of its VM", in_namespace(function(t)
		local engine = open(first(t))
		assert.same({ "0", "gc64v0", "52:54:68:40:00:02", "10.116.0.2/20", "10.116.0.1" },
			{ engine:run "tap(64, 0)" })
		assert.same({ "1", "gc64v999999999", "52:54:68:40:00:03", "10.116.0.3/20", "10.116.0.1" },
			{ engine:run "tap(64, 999999999)" })
		assert.same({ "true", "true" }, { engine:run "flags(64, 0)" })
		engine:run "open(254)"
		engine:run "bridge(254):lease_last(4093)"
		assert.same({ "0", "gc254v7", "52:54:68:fe:0f:fe", "10.127.239.254/20", "10.127.224.1" },
			{ engine:run "tap(254, 7)" })
	end))

	it("reaches the host, and the others on the bridge", in_namespace(function(t)
		local engine = open(first(t))
		engine:run "tap(64, 0)"
		engine:run "tap(64, 1)"
		engine:run("send(64, 0, %s)", arp_request(64, 2))
		assert.equal("\x52\x54\x68\x40\0\1", (engine:run
			[[wait(64, 0, "^\x52\x54\x68\x40\0\2(\x52\x54\x68\x40\0\1)\8\6.*\10\x74\0\1")]]))
		assert.equal("\8\6", (engine:run
			[[wait(64, 1, "^\xff\xff\xff\xff\xff\xff\x52\x54\x68\x40\0\2(\8\6)")]]))
	end))

	it("goes with its descriptor, and gives its address to the last in the row",
		in_namespace(function(t)
			local engine = open(first(t))
			engine:run "tap(64, 0)"
			local before = engine:run "descriptors()"
			engine:run "tap(64, 1)"
			engine:run "bridge(64):close_tap(1)"
			engine:run "bridge(64):close_tap(1)"
			assert.equal(before, (engine:run "descriptors()"))
			assert.equal("gc64 gc64v0", engine:run "devices()")
			assert.equal("10.116.0.4/20", (select(4, engine:run "tap(64, 2)")))
			engine:run "bridge(64):lease_last(4094)"
			assert.equal("10.116.0.3/20", (select(4, engine:run "tap(64, 3)")))
			assert.equal("10.116.0.5/20", (select(4, engine:run "tap(64, 4)")))
		end))

	it("is refused when all addresses are leased, or the name is too long or taken",
		in_namespace(function(t)
			local engine = open(first(t))
			engine:run "tap(64, 0)"
			local before = engine:run "descriptors()"
			assert.same({ "nil", "tap gc64v0: Device or resource busy", "EBUSY" },
				{ engine:run "tap(64, 0)" })
			assert.equal("ERANGE", (select(3, engine:run "tap(64, 1000000000)")))
			assert.equal("ERANGE", (select(3, engine:run "tap(64, -1)")))
			engine:run "bridge(64):lease_all()"
			assert.same({ "nil", "tap gc64v1: Cannot assign requested address", "EADDRNOTAVAIL" },
				{ engine:run "tap(64, 1)" })
			assert.equal(before, (engine:run "descriptors()"))
			assert.equal("gc64 gc64v0", engine:run "devices()")
		end))
end)

describe("an engine that cannot make taps", function()
	-- Opens a bridge in a process started by this command; gives what came.
	local function refused(t, ...)
		local engine = start(t, ...)
		local before = engine:run "descriptors()"
		local result = { engine:run "open(254)" }
		assert.equal(before, (engine:run "descriptors()"))
		return result
	end

	it("says what it needs when it has no rights", in_namespace(function(t)
		assert.same({ "nil", "bridge gc254: " .. rights .. ": Operation not permitted", "EPERM" },
			refused(t, "unshare", "-Ur"))
	end))

	it("says what it needs when it may not open the device", in_namespace(function(t)
		local hide = "mount -t tmpfs none /dev/net && : >/dev/net/tun && chmod 0 /dev/net/tun && "
			.. 'exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
		if not os.execute(("unshare -Urnm sh -c '%s' sh true 2>/dev/null"):format(hide)) then
			pending "needs `unshare -Urnm` and setpriv"
		end
		assert.same({ "nil", "/dev/net/tun: " .. rights .. ": Operation not permitted", "EPERM" },
			refused(t, "unshare", "-Urnm", "sh", "-c", hide, "sh"))
	end))

	it("names the device when there is none", in_namespace(function(t)
		local hide = 'mount -t tmpfs none /dev/net && exec "$@"'
		if not os.execute(("unshare -Urnm sh -c '%s' sh true 2>/dev/null"):format(hide)) then
			pending "needs `unshare -Urnm`"
		end
		assert.same({ "nil", "/dev/net/tun: No such file or directory", "ENOENT" },
			refused(t, "unshare", "-Urnm", "sh", "-c", hide, "sh"))
	end))
end)
