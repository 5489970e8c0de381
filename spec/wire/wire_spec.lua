-- The messages of the channel; and what an engine, a control client and a program do
-- with what is none.

local json = require "dkjson"
local core = require "gridcentric.core"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"
local wire = require "gridcentric.spec_wire"

local max_frame = 1024 * 1024

-- Fields for a schema; the group comes `times` times.
local function fields_for(schema, times)
	local head, group = schema:match("^([^|]*)|?(.*)$")
	local fields = {}
	for kind in (head .. group:rep(times)):gmatch(".") do
		local n = #fields + 1
		fields[n] = kind == "i" and (n % 2 == 0 and math.mininteger or math.maxinteger) - n
			or ("text\0%d"):format(n)
	end
	return fields
end

local function frame(version, kind, nfds, body)
	return string.pack("<I4BBB", #body + 3, version, kind, nfds) .. body
end

describe("a message", function()
	it("of each type is read as it was written", function()
		for _, entry in ipairs(wire.types) do
			local name, _, schema = table.unpack(entry)
			for times = 0, schema:find("|") and 3 or 0 do
				local fields = fields_for(schema, times)
				local bytes = assert(wire.encode(name, table.unpack(fields)))
				assert.same({ #bytes, name, 0, fields }, { wire.decode(bytes) })
				assert.same({ #bytes, name, 0, fields }, { wire.decode(bytes .. bytes) })
			end
		end
	end)

	it("has a number of its own, which is never another's", function()
		local seen = {}
		for _, entry in ipairs(wire.types) do
			assert.is_nil(seen[entry[2]], entry[1])
			seen[entry[2]] = entry[1]
		end
	end)

	it("that is not whole asks for more, at each length", function()
		local bytes = wire.encode("TICKET", 1, 0, "", "uuid", 1, 2, 3, 4)
		for n = 0, #bytes - 1 do assert.equal(0, wire.decode(bytes:sub(1, n)), n) end
	end)

	it("is refused where it is not this protocol", function()
		local good = string.pack("<i8", 5)
		local hello = 1
		local cases = {
			version = frame(2, 9, 0, good), ["no type"] = frame(1, 0, 0, good),
			["type 200"] = frame(1, 200, 0, good), ["too many descriptors"] = frame(1, 9, 65, good),
			["no fields"] = frame(1, 9, 0, ""), ["half a field"] = frame(1, 9, 0, good:sub(1, 4)),
			["a byte too many"] = frame(1, 9, 0, good .. "x"),
			["string beyond the end"] = frame(1, hello, 0, good .. string.pack("<I4", 100) .. "x"),
			["string of 4 GB"] = frame(1, hello, 0, good .. string.pack("<I4", 0xffffffff)),
			["half a group"] = frame(1, 10, 0, good .. string.pack("<i8i8", 1, 2)),
			["shorter than a header"] = string.pack("<I4BB", 2, 1, 9),
			["length 0"] = string.pack("<I4", 0), ["longer than any"] = string.pack("<I4", max_frame - 3),
			["4 GB"] = "\255\255\255\255", text = "GET / HTTP/1.1\r\n",
		}
		for name, bytes in pairs(cases) do
			assert.same({ nil, "EPROTO" }, { wire.decode(bytes) }, name)
		end
	end)

	it("is passed on as it came, or with another operation in front", function()
		for _, entry in ipairs(wire.types) do
			local name, _, schema = table.unpack(entry)
			local fields = fields_for(schema, 2)
			local bytes = assert(wire.encode(name, table.unpack(fields)))
			assert.equal(bytes, wire.relay(bytes))
			if schema:find "^i" then
				fields[1] = -7
				assert.equal(wire.encode(name, table.unpack(fields)), wire.relay(bytes, -7))
			end
		end
	end)

	it("may be as long as a frame can be, and no longer", function()
		local room = max_frame - 7 - 4
		assert.equal(max_frame, (wire.decode(wire.encode("REPORT", ("x"):rep(room)))))
		assert.same({ nil, "EMSGSIZE" }, { wire.encode("REPORT", ("x"):rep(room + 1)) })
	end)
end)

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

-- ---- garbage ---------------------------------------------------------------------

-- Byte strings that are no message, or no message here; the same in each run.
local function garbage()
	local state = 12345
	local function random(n)
		local bytes = {}
		for i = 1, n do
			state = (state * 1103515245 + 12345) % 2147483648
			bytes[i] = string.char(state // 65536 % 256)
		end
		return table.concat(bytes)
	end
	local list = {
		"\255\255\255\255", string.pack("<I4", max_frame - 3), string.pack("<I4", 0),
		frame(2, 1, 0, ""), frame(1, 99, 0, ""), frame(1, 9, 64, string.pack("<i8", 1)),
		("x"):rep(200000), "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	for n = 1, 30 do list[#list + 1] = random(n * n) end
	-- messages that are right in themselves, with fields that make no sense
	for _, entry in ipairs(wire.types) do
		local name, _, schema = table.unpack(entry)
		for times = 0, schema:find("|") and 2 or 0 do
			list[#list + 1] = wire.encode(name, table.unpack(fields_for(schema, times)))
		end
	end
	return list
end

local function socket_of(t)
	for name in uv.fs_scandir_next, (assert(uv.fs_scandir(t.state))) do
		if name:find("%.sock$") then return t.state .. "/" .. name end
	end
end

-- A connection; while the engine's backlog is full there is none.
local function connect(t, path)
	return t.wait_until(function() return t.connect{ unix = path } end, nil, "a connection")
end

-- Sends bytes to the control socket and goes.
local function throw(t, path, bytes)
	local c = connect(t, path)
	c:write(bytes)
	c:close()
end

local hello = wire.encode("HELLO", 1, "", 3, 1)

describe("garbage on the control socket", function()
	it("ends that connection only", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local path = socket_of(t)
			for _, bytes in ipairs(garbage()) do
				throw(t, path, bytes)
				throw(t, path, hello .. bytes)
				local kind = wire.decode(bytes)
				if not kind then -- no message at all: the connection is closed
					local c = connect(t, path)
					c:write(hello .. bytes)
					c:read_all()
				end
			end
			for cut = 1, #hello do throw(t, path, hello:sub(1, cut)) end
			assert.equal(2, #assert(core.control(path, nil, 5000)).domains)
			assert.equal(1, one:eval("return gc.vmid()"))
			assert.equal(2, (master:clone():eval("return gc.vmid()")))
		end)
	end)

	it("makes nobody a domain or an owner", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local path = socket_of(t)
			for role = 0, 2 do
				local c = connect(t, path)
				c:write(wire.encode("HELLO", 1, "", role, one.pid) .. wire.encode("KILL", 1, 1))
				assert.equal("", (c:read_all()))
			end
			-- nor may one in its own role ask for what domains may
			local c = connect(t, path)
			c:write(hello .. wire.encode("KILL", 1, 1) .. wire.encode("BYE", 0)
				.. wire.encode("START", 1, 0, "/", "touch", "/nowhere/file")
				.. wire.encode("STATUS", 7))
			local welcome = c:read_exactly(4) -- its length
			welcome = welcome .. c:read_exactly((string.unpack("<I4", welcome)))
			assert.equal("WELCOME", (select(2, wire.decode(welcome))))
			local state = c:read_exactly(4)
			state = state .. c:read_exactly((string.unpack("<I4", state)))
			assert.same({ "STATE", 7 }, { select(2, wire.decode(state)),
				(select(4, wire.decode(state)))[1] })
			assert.equal(1, one:eval("return gc.vmid()"))
		end)
	end)

	it("of a thousand connections that say nothing keeps nobody from asking", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			master:clone()
			local path = socket_of(t)
			local silent = {}
			for i = 1, 1000 do
				silent[i] = connect(t, path)
				if i % 100 == 0 then
					assert.equal(2, #assert(core.control(path, nil, 5000)).domains)
				end
			end
			local n = 0
			for _ in pairs(procfs.descriptors(assert(core.control(path, nil, 5000)).domains[1].pid)) do
				n = n + 1
			end
			assert.is_true(n < 100)
			for _, c in pairs(silent) do c:close() end
			assert.equal(2, #assert(core.control(path, nil, 5000)).domains)
		end)
	end)
end)

-- In a puppet: its channel to the engine, the one unix socket that is not stdio.
local find_channel = [[
	local unix = io.open("/proc/net/unix"):read("a")
	for name in uv.fs_scandir_next, (uv.fs_scandir("/proc/self/fd")) do
		local target = uv.fs_readlink("/proc/self/fd/" .. name) or ""
		local inode = target:match("^socket:%[(%d+)%]$")
		if tonumber(name) > 2 and inode and unix:find(" " .. inode .. "\n", 1, true) then
			kept.channel = tonumber(name)
		end
	end
	return kept.channel
]]

describe("garbage on the channel of a clone", function()
	it("cuts that channel only, and an event says so", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			assert.is_truthy(one:eval(find_channel))
			one:eval("uv.fs_write(kept.channel, ('\\255'):rep(100))")
			t.wait_until(function()
				local p = t.spawn{ paths.engine, "--print", "events" }
				p:wait()
				for _, event in ipairs(json.decode(p.stdout)) do
					if event.what == "channel cut" and event.vmid == 1 then return true end
				end
			end, nil, "the event")
			local value, err, code = one:call("list_domains")
			assert.same({ "ECONNRESET: the engine has ended", "ECONNRESET" }, { err, code }, value)
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.equal(3, #two:call("list_domains"))
			-- it still is a domain, and can be ended
			assert.is_true((master:call("kill", 1)))
			assert.is_false(procfs.alive(one.pid))
		end)
	end)

	it("that is made of messages does no harm to others", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			for _, bytes in ipairs(garbage()) do
				local one = master:clone()
				one:eval(find_channel)
				one:send(("local text = %q uv.fs_write(kept.channel, text)"):format(bytes))
				assert.equal(0, master:eval("return gc.vmid()"))
				master:call("kill", one.vmid)
				one.connection:close()
			end
			assert.equal(1, #master:call("list_domains"))
		end)
	end)
end)

describe("an engine", function()
	-- its owner's channel is its standard input here: luv makes it a socket pair
	local function start(t)
		return t.spawn{ paths.engine, "--owner", "0", "--name", "x", stdin = true }
	end

	it("ends when its owner talks nonsense, and when he goes without a word", function()
		puppet.run(function(t)
			for _, bytes in ipairs(garbage()) do
				local p = start(t)
				p:write(bytes)
				p:close_stdin()
				assert.same({ 0, 0 }, { p:wait() })
				assert.equal("", p.stderr)
			end
		end)
	end)

	it("does not end for messages of an owner that make no sense", function()
		puppet.run(function(t)
			local p = start(t)
			p:write(wire.encode("HELLO", 1, "", 1, p.pid))
			for _, entry in ipairs(wire.types) do
				local name, _, schema = table.unpack(entry)
				if name ~= "BYE" and name ~= "START" then
					p:write(wire.encode(name, table.unpack(fields_for(schema, 1))))
				end
			end
			local answer = t.wait_until(function() -- the socket has a name before it listens
				return socket_of(t) and core.control(socket_of(t), nil, 5000)
			end)
			assert.same({}, answer.domains)
			p:close_stdin()
			assert.same({ 0, 0 }, { p:wait() })
		end)
	end)
end)

describe("a program whose engine", function()
	local function run_with_engine(text)
		local out
		puppet.run(function(t)
			local path = t.tmpdir() .. "/engine"
			local file = io.open(path, "w")
			file:write("#!/bin/sh\n" .. text)
			file:close()
			uv.fs_chmod(path, 448)
			local p = t.spawn{ "lua5.4", "-e", [[
				local gc = require "gridcentric"
				gc.request_ticket(1, 1, 1, 0, function(ticket, err, code)
					print(ticket, err, code)
					gc.list_domains(function(domains, err) print(domains, err) end)
				end)
				require("luv").run()
			]], env = { GRIDCENTRIC_ENGINE = path } }
			assert.equal(0, (p:wait()), p:describe())
			out = p.stdout
		end)
		return out
	end

	it("talks nonsense gets an error", function()
		local text = "ECONNRESET: the engine has ended: Protocol error"
		assert.equal(("nil\t%s\tECONNRESET\nnil\t%s\n"):format(text, text),
			run_with_engine("printf nonsense >&3; exec cat <&3 >/dev/null"))
	end)

	it("ends at once gets an error", function()
		assert.matches("^nil\tECONNRESET: the engine has ended[^\n]*\tECONNRESET\nnil\t[^\n]*\n$",
			run_with_engine("exit 1"))
	end)
end)
