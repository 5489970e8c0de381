-- What a clone looks like, and what cloning does not do to its master.
-- limit: 600 s

local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local function run(body, timeout_ms) puppet.run(body, { timeout_ms = timeout_ms }) end

-- spec/scripts/fork_storm.lua: each clone checks itself.
local function storm(context, clones, load)
	run(function(t)
		local p = t.spawn{ "lua5.4", paths.scripts .. "/fork_storm.lua", context,
			tostring(clones), load }
		local status, signal = p:wait()
		assert.equal("0 0", status .. " " .. signal, p:describe())
		local lines, ok, ended = {}, 0, 0
		for line in p.stdout:gmatch("[^\n]+") do
			if line:find("^clone %d+ ok$") then
				ok = ok + 1
			elseif line:find("^ended %d+ 7 0$") then
				ended = ended + 1
			else
				lines[#lines + 1] = line
			end
		end
		assert.same({ "master served yes" }, lines)
		assert.equal(clones, ok)
		assert.equal(clones, ended)
		assert.equal("", p.stderr)
	end, 70000)
end

describe("200 clones, each sound, under traffic and with a blocked write,", function()
	for _, context in ipairs{ "timer", "prepare", "check", "poll" } do
		it("come from a " .. context .. " callback", function() storm(context, 200) end)
	end

	it("come while 64 fs requests are in flight", function()
		storm("timer", 200, "fs")
		storm("poll", 200, "fs")
	end)

	it("keep their exit status when they exit at once and the master had used the pool", function()
		storm("timer", 200, "exit")
		storm("check", 200, "exit")
	end)
end)

describe("50 clones, each sound,", function()
	it("come while the master catches signals", function() storm("check", 50, "signal") end)

	it("cannot kill a child process of the master", function()
		-- the script prints when the helper ends before the master's own end
		storm("timer", 50, "child")
	end)
end)

describe("a clone", function()
	it("answers at its own address, with its own number", function()
		run(function(t)
			local master = puppet.start(t, { "0.0.0.0:0" })
			master:eval("kept.warm = 'state'")
			local one, two = master:clone(2)
			assert.equal(0, master:eval("return gc.vmid()"))
			assert.equal(1, one:eval("return gc.vmid()"))
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.equal("state", two:eval("return kept.warm"))
			assert.are_not.equal(one.ip, two.ip)
			assert.equal(one.pid, one:eval("return uv.os_getpid()"))
			assert.equal(one.ip, one:eval("return client:getsockname().ip"))
		end)
	end)

	for name, where in pairs{
		["127.0.0.1 only"] = "127.0.0.1:0", ["a wildcard address"] = "0.0.0.0:0",
		["[::], both families"] = ":::0", ["[::1] only"] = "::1:0",
	} do
		it("answers when the master listens on " .. name, function()
			run(function(t)
				local ip = where:find("^::1") and "::1" or "127.0.0.1"
				local master = puppet.start(t, { where, ip = ip })
				local one = master:clone()
				assert.equal(1, one:eval("return gc.vmid()"))
				assert.equal(0, master:eval("return gc.vmid()"))
				local again = puppet.at(t, one.ip, one.port)
				assert.equal(1, again:eval("return gc.vmid()"))
			end)
		end)
	end

	it("answers on every port, and has all of them among its endpoints", function()
		run(function(t)
			local master = puppet.start(t, { "127.0.0.1:0", "0.0.0.0:0", "127.0.0.1:0" })
			local _, p2, p3 = master.process.stdout:match("ports (%d+) (%d+) (%d+)")
			local one = master:clone()
			for _, port in ipairs{ one.port, tonumber(p2), tonumber(p3) } do
				assert.equal(1, puppet.at(t, one.ip, port):eval("return gc.vmid()"))
				local endpoints = master:domains()[1].endpoints
				assert.equal(one.ip .. ":" .. port, endpoints[tostring(port)])
			end
		end)
	end)

	it("answers every time when the master listens on two addresses with one port", function()
		run(function(t)
			local port = t.free_port()
			local master = puppet.start(t, { "127.0.0.1:" .. port, "127.0.0.2:" .. port })
			local one = master:clone()
			for _ = 1, 20 do
				local again = puppet.at(t, one.ip, port)
				assert.equal(1, again:eval("return gc.vmid()", 2000))
				again.connection:close()
			end
		end)
	end)

	it("of a clone answers at an address of its own", function()
		run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local two = one:clone()
			local three = two:clone()
			assert.same({ 0, 1, 2, 3 }, {
				master:eval("return gc.vmid()"), one:eval("return gc.vmid()"),
				two:eval("return gc.vmid()"), three:eval("return gc.vmid()"),
			})
			assert.equal(two.pid, procfs.stat(three.pid).ppid)
		end)
	end)

	it("goes on with timers, TCP, DNS, files and processes, and so does its master", function()
		run(function(t)
			local master = puppet.start(t)
			local work = [[
				local port = ...
				await(function(wake) uv.new_timer():start(1, 0, wake) end)
				local err = await(function(wake) uv.fs_stat("/etc/passwd", wake) end)
				assert(not err, err)
				local name = uv.getaddrinfo("localhost", nil, {}) and "localhost" or "127.0.0.1"
				err = await(function(wake) uv.getaddrinfo(name, nil, {}, wake) end)
				assert(not err, err)
				local status = await(function(wake)
					assert(uv.spawn("sh", { args = { "-c", "exit 5" } }, wake))
				end)
				assert(status == 5, status)
				local server = uv.new_tcp()
				server:bind("127.0.0.1", 0)
				server:listen(1, function()
					local peer = uv.new_tcp()
					server:accept(peer)
					peer:write("hello")
				end)
				local near = uv.new_tcp()
				local text = await(function(wake)
					near:connect("127.0.0.1", server:getsockname().port, function()
						near:read_start(function(_, data) wake(data) end)
					end)
				end)
				near:close() server:close()
				return text
			]]
			assert.equal("hello", master:eval(work))
			local one = master:clone()
			assert.equal("hello", one:eval(work))
			assert.equal("hello", master:eval(work))
		end)
	end)

	it("draws other random numbers than its master and siblings", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval("math.randomseed(1)")
			local one, two = master:clone(2)
			local draw = "return math.random(0)"
			local a, b, c = master:eval(draw), one:eval(draw), two:eval(draw)
			assert.is_true(a ~= b and b ~= c and a ~= c, ("%d %d %d"):format(a, b, c))
		end)
	end)

	it("stands in a process group of its own", function()
		run(function(t)
			local one = puppet.start(t):clone()
			assert.equal(one.pid, procfs.stat(one.pid).pgrp)
		end)
	end)
end)

describe("an established connection", function()
	it("is the master's: the clone reads its end, and its writes fail; the peer sees nothing of it",
	function()
		run(function(t)
			local master = puppet.start(t)
			local other = puppet.at(t, master.ip, master.port)
			other:eval("kept.c, kept.seen = client, 'nothing'")
			local peer = other.connection
			master:eval([[
				local function note(err, data) kept.seen = err or data or "the end" end
				kept.c:read_stop()
				kept.c:read_start(note)
			]])
			local one = master:clone()
			t.wait_until(function() return one:eval("return kept.seen") == "the end" end)
			t.wait_until(function()
				one:eval("kept.c:write('x', function(err) kept.failed = err end)")
				return one:eval("return kept.failed") == "EPIPE"
			end, nil, "an error")
			assert.equal("nothing", master:eval("return kept.seen"))
			master:eval("kept.c:write('from the master')")
			assert.equal("from the master", peer:read_exactly(15))
			-- its close is seen at once, although the clone lives
			master:eval("kept.c:close()")
			assert.is_nil((peer:read()))
			assert.equal(1, one:eval("return gc.vmid()"))
		end)
	end)

	it("sees the master's death at once, although a clone lives", function()
		run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local two = one:clone()
			local other = puppet.at(t, one.ip, one.port)
			assert.equal(1, other:eval("return gc.vmid()"))
			one:send("os.exit(0)")
			assert.is_nil((other.connection:read()))
			assert.equal(2, two:eval("return gc.vmid()"))
		end)
	end)

	it("of 10,000 does not hinder repair", function()
		local limit = tonumber((io.popen("ulimit -Hn"):read("l")))
		if limit and limit < 12000 then pending("the hard limit on descriptors is " .. limit) end
		run(function(t)
			local roomy = { "prlimit", "--nofile=12000", "lua5.4" }
			local master = puppet.start(t, { command = roomy })
			local users = puppet.start(t, { command = roomy })
			users:eval(([[
				local n = 0
				local function connect(done)
					uv.new_tcp():connect("127.0.0.1", %d, function(err)
						assert(not err, err)
						n = n + 1
						if n == 10000 then done() elseif n <= 9900 then connect(done) end
					end)
				end
				await(function(wake) for _ = 1, 100 do connect(wake) end end)
			]]):format(master.port), 30000)
			t.wait_until(function()
				local n = 0
				for _ in pairs(procfs.descriptors(master.pid)) do n = n + 1 end
				return n >= 10000
			end, nil, "10,000 connections")
			local one, two = master:clone(2)
			assert.equal(1, one:eval("return gc.vmid()", 10000))
			assert.equal(2, two:eval("return gc.vmid()", 10000))
			assert.equal(0, master:eval("return gc.vmid()"))
		end, 60000)
	end)
end)

describe("the address of a clone that is dead", function()
	it("resets connections, and a master on the wildcard address never answers instead", function()
		run(function(t)
			local master = puppet.start(t, { "0.0.0.0:0" })
			local one = master:clone()
			one:send("os.exit(3)")
			master:wait_gone(1)
			for _ = 1, 20 do
				local c, err = t.connect{ host = one.ip, port = one.port }
				local data
				if c then data, err = c:read() end
				assert.is_nil(data)
				assert.is_truthy(err == "ECONNRESET" or err == "ECONNREFUSED", tostring(err))
			end
		end)
	end)

	it("resets a connection that waits to be accepted", function()
		run(function(t)
			local master = puppet.start(t, { "0.0.0.0:0" })
			local one = master:clone()
			local busy = t.tmpdir() .. "/busy"
			one:send(("io.open(%q, 'w'):close() while true do end"):format(busy))
			t.wait_until(function() return uv.fs_stat(busy) end)
			local c = assert(t.connect{ host = one.ip, port = one.port })
			master:call("kill", 1)
			local data, err = c:read()
			assert.is_nil(data)
			assert.equal("ECONNRESET", err)
		end)
	end)
end)

describe("in a clone", function()
	it("a UDP socket is bound anew, at the clone's address", function()
		run(function(t)
			local master = puppet.start(t)
			local port = master:eval([[
				kept.got = {}
				kept.udp = uv.new_udp()
				kept.udp:bind("127.0.0.1", 0)
				kept.udp:recv_start(function(_, data) if data then table.insert(kept.got, data) end end)
				return kept.udp:getsockname().port
			]])
			local one = master:clone()
			local say = ("uv.new_udp():send('%%s', '%%s', %d, function() end)"):format(port)
			master:eval(say:format("to the clone", one.ip))
			t.wait_until(function() return one:eval("return kept.got[1]") == "to the clone" end)
			one:eval(say:format("to the master", "127.0.0.1"))
			t.wait_until(function() return master:eval("return kept.got[1]") == "to the master" end)
			assert.equal(1, one:eval("return #kept.got"))
			assert.equal(1, master:eval("return #kept.got"))
		end)
	end)

	it("a unix listener accepts nobody, and the master's still does", function()
		run(function(t)
			local master = puppet.start(t)
			local path = t.tmpdir() .. "/socket"
			master:eval(([[
				kept.accepted = 0
				kept.server = uv.new_pipe(false)
				assert(kept.server:bind(%q))
				kept.server:listen(8, function()
					local peer = uv.new_pipe(false)
					kept.server:accept(peer)
					kept.accepted = kept.accepted + 1
					peer:write(tostring(gc.vmid()))
				end)
			]]):format(path))
			local one = master:clone()
			for _ = 1, 10 do
				assert.equal("0", assert(t.connect{ unix = path }):read_exactly(1))
			end
			assert.equal(0, one:eval("return kept.accepted"))
			one:eval("kept.server:close()")
			assert.equal("0", assert(t.connect{ unix = path }):read_exactly(1))
		end)
	end)

	it("a pipe to itself is its own", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval([[
				local ends = uv.pipe({ nonblock = true }, { nonblock = true })
				kept.got = ""
				kept.reader, kept.writer = uv.new_pipe(false), uv.new_pipe(false)
				kept.reader:open(ends.read)
				kept.writer:open(ends.write)
				kept.reader:read_start(function(_, data) kept.got = kept.got .. (data or "") end)
			]])
			local one, two = master:clone(2)
			master:eval("kept.writer:write('m')")
			one:eval("kept.writer:write('1')")
			two:eval("kept.writer:write('2')")
			for who, text in pairs{ [master] = "m", [one] = "1", [two] = "2" } do
				t.wait_until(function() return who:eval("return kept.got") ~= "" end)
				assert.equal(text, who:eval("return kept.got"))
			end
		end)
	end)

	it("a pipe to another process is at its end, and that process still serves the master", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval([[
				kept.got, kept.over = "", false
				kept.to, kept.from = uv.new_pipe(false), uv.new_pipe(false)
				kept.cat = assert(uv.spawn("cat", { stdio = { kept.to, kept.from } }, function()
					kept.exited = true
				end))
				kept.from:read_start(function(_, data)
					if data then kept.got = kept.got .. data else kept.over = true end
				end)
			]])
			local one = master:clone()
			t.wait_until(function() return one:eval("return kept.over") end, nil, "the end in the clone")
			one:eval("kept.to:write('from the clone') kept.cat:kill('sigkill')")
			master:eval("kept.to:write('from the master')")
			t.wait_until(function() return master:eval("return kept.got") ~= "" end)
			assert.equal("from the master", master:eval("return kept.got"))
			assert.is_falsy(master:eval("return kept.exited"))
			master:eval("kept.to:close()")
			t.wait_until(function() return master:eval("return kept.exited") end, nil, "the end of cat")
		end)
	end)

	it("a child process of the master is not killed, and does not keep the loop alive", function()
		run(function(t)
			local p = t.spawn{ "lua5.4", "-e", [[
				local uv, gc = require "luv", require "gridcentric"
				local helper
				helper = uv.spawn("sleep", { args = { "60" } }, function(_, signal)
					print("helper ended", gc.vmid(), signal)
				end)
				gc.request_ticket(1, 1, 1, 1000, function(ticket)
					gc.clone(ticket, function(vmid)
						if vmid > 0 then
							print("killing", helper:kill("sigkill"))
							return -- nothing is left to do: it ends
						end
						local function look()
							gc.list_domains(function(domains)
								if #domains > 1 then return look() end
								helper:kill("sigterm")
							end)
						end
						look()
					end)
				end)
				uv.run()
			]] }
			assert.equal(0, (p:wait()))
			assert.matches("helper ended\t0\t15\n", p.stdout)
			assert.matches("killing\t[^\n]*ESRCH", p.stdout)
			assert.equal("", p.stderr)
		end)
	end)
end)

describe("cloning", function()
	it("is refused, with the reason, under a libuv whose layout is not known", function()
		run(function(t)
			-- a libuv that says it is another; its other functions are the real one's,
			-- which lies beside it under a name of the same length
			local dir, real = t.tmpdir(), nil
			for line in io.lines("/proc/self/maps") do real = real or line:match("%S*/libuv%.so%S*") end
			local bytes = io.open(real, "rb"):read("a"):gsub("libuv%.so%.1\0", "libuw.so.1\0")
			io.open(dir .. "/libuw.so.1", "wb"):write(bytes):close()
			local source = "unsigned uv_version(void) { return 1 << 16 | 48 << 8; }\n"
			io.open(dir .. "/uv.c", "w"):write(source):close()
			local cc = t.spawn{ "cc", "-shared", "-fPIC", "-Wl,--no-as-needed", "-Wl,-soname,libuv.so.1",
				"-Wl,-rpath,$ORIGIN", "-o", dir .. "/libuv.so.1", dir .. "/uv.c", dir .. "/libuw.so.1",
				foreign = true }
			assert.equal(0, (cc:wait()), cc.stderr)
			local p = t.spawn{ "lua5.4", "-e", [[
				local gc = require "gridcentric"
				gc.request_ticket(1, 1, 1, 1000, function(ticket, err)
					print("ticket", err)
					gc.clone(ticket, function(vmid, err, code) print(vmid, err, code) end)
				end)
				require("luv").run()
			]], env = { LD_LIBRARY_PATH = dir } }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("ticket\tnil\n-1\tEOPNOTSUPP: cannot clone with libuv 1.48.0 (built with 1.44): "
				.. "only 1.44, whose loop this version knows how to repair\tEOPNOTSUPP\n", p.stdout)
		end)
	end)

	it("does not print twice what the master had buffered", function()
		run(function(t)
			local p = t.spawn{ "lua5.4", "-e", [[
				local gc = require "gridcentric"
				io.stdout:setvbuf("full")
				io.write("once ")
				gc.request_ticket(3, 3, 1, 1000, function(ticket)
					io.write("and once ")
					gc.clone(ticket, function(vmid) if vmid > 0 then os.exit(0) end end)
				end)
				require("luv").run()
			]] }
			assert.equal(0, (p:wait()))
			assert.equal("once and once ", p.stdout)
		end)
	end)

	it("leaves the clone its master's signal handlers, without signals caught before", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval("kept.n = 0 kept.s = uv.new_signal() "
				.. "kept.s:start('sigusr1', function() kept.n = kept.n + 1 end)")
			local one = master:clone()
			uv.kill(one.pid, "sigusr1")
			t.wait_until(function() return one:eval("return kept.n") == 1 end)
			assert.equal(0, master:eval("return kept.n"))
		end)
	end)
end)
