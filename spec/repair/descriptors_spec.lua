-- Input, terminals and files in a clone.
-- limit: 120 s

local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("repairs descriptors", function() pending(puppet.missing) end)
end

local function run(body) puppet.run(body, { timeout_ms = 30000 }) end

local SYSTEM = "system = require 'gridcentric.spec_system'\n"

-- Whether something can be read from descriptor fd of a puppet, without reading it.
local READABLE = [[
	local got
	local poll = uv.new_poll(%d)
	poll:start("r", function(_, events) got = events end)
	await(function(wake) uv.new_timer():start(0, 0, wake) end)
	await(function(wake) uv.new_timer():start(0, 0, wake) end)
	poll:close()
	return got ~= nil
]]

describe("standard input of a clone", function()
	it("is silent where the master's is a pipe, which goes on for the master", function()
		run(function(t)
			local master = puppet.start(t, { stdin = true })
			local one = master:clone()
			assert.is_false(one:eval(READABLE:format(0)))
			master.process:write("hello\n")
			assert.equal("hello", master:eval("return io.read()"))
			assert.is_false(one:eval(READABLE:format(0)))
			master.process:close_stdin()
			assert.is_nil(master:eval("return io.read()"))
			assert.is_false(one:eval(READABLE:format(0)))
		end)
	end)

	it("does not end a program that ends with its input", function()
		run(function(t)
			local master = puppet.start(t, { stdin = true })
			master:eval([[
				kept.input = ""
				local pipe = uv.new_pipe(false)
				pipe:open(0)
				pipe:read_start(function(_, data)
					if not data then os.exit(gc.vmid() == 0 and 0 or 7) end
					kept.input = kept.input .. data
				end)
			]])
			local one = master:clone()
			master.process:write("hello")
			t.wait_until(function() return master:eval("return kept.input") == "hello" end)
			assert.equal("", one:eval("return kept.input"))
			assert.equal(1, one:eval("return gc.vmid()"))
			master.process:close_stdin()
			assert.equal(0, (master.process:wait()))
		end)
	end)

	it("is empty where the master's is a file or /dev/null", function()
		run(function(t)
			local one = puppet.start(t):clone()
			assert.is_nil(one:eval("return io.read()"))
		end)
	end)
end)

describe("a terminal", function()
	-- A master on a terminal of its own, which script(1) makes; what we write is typed there.
	local function on_terminal(t, code)
		local path = t.tmpdir() .. "/program.lua"
		io.open(path, "w"):write(code):close()
		local command = { "script", "-qfec", "lua5.4 " .. path, "/dev/null" }
		command.stdin = true
		return t.spawn(command)
	end

	it("that the program reads is the master's alone, and stops no clone", function()
		run(function(t)
			local p = on_terminal(t, [[
				local uv, gc = require "luv", require "gridcentric"
				local input = uv.new_tty(0, true)
				local clone, clone_reads
				input:read_start(function(err, data)
					print(gc.vmid() == 0 and "master read" or "clone read", err, data)
					if gc.vmid() == 0 and data:find "end" then os.exit(0) end
				end)
				gc.request_ticket(1, 1, 1, 1000, function(ticket, err)
					assert(ticket, err)
					gc.clone(ticket, function(vmid, err)
						assert(vmid >= 0, err)
						if vmid == 0 then return print "type" end
						-- it touches the terminal as programs do that end
						local ok, why = pcall(input.set_mode, input, 1)
						local output = uv.new_tty(1, false)
						print("clone mode", (pcall(output.set_mode, output, 0)))
						local n = 0
						local timer = uv.new_timer()
						timer:start(10, 10, function()
							n = n + 1
							if n == 20 then print "clone alive" timer:close() end
						end)
					end)
				end)
				uv.run()
			]])
			local function has(text)
				t.wait_until(function() return p.stdout:find(text, 1, true) end, nil, text)
			end
			has "type"
			has "clone mode"
			p:write("first\n")
			has "master read\tnil\tfirst"
			has "clone alive"
			p:write("end\n")
			assert.equal(0, (p:wait()))
			assert.is_nil(p.stdout:find("clone read", 1, true), p.stdout)
		end)
	end)
end)

describe("a file", function()
	it("that the master reads on is read by no clone, and has an offset of its own there", function()
		run(function(t)
			local master = puppet.start(t)
			local path = t.tmpdir() .. "/jobs"
			io.open(path, "w"):write(("line\n"):rep(5000)):close()
			master:eval(("kept.jobs = io.open(%q)\nfor _ = 1, 3 do kept.jobs:read() end"):format(path))
			local one = master:clone()
			-- a C library gives back what it has read ahead when it closes a file
			one:send("os.exit(0, true)")
			master:wait_gone(1)
			assert.equal(4997, master:eval [[
				local n = 0
				for _ in kept.jobs:lines() do n = n + 1 end
				return n
			]])
		end)
	end)

	it("that two descriptors share is still one file", function()
		run(function(t)
			local master = puppet.start(t)
			local path = t.tmpdir() .. "/file"
			io.open(path, "w"):write("0123456789"):close()
			master:eval(SYSTEM .. ([[
				kept.a = uv.fs_open(%q, "r", 0)
				kept.b = system.dup(kept.a)
				kept.c = uv.fs_open(%q, "r", 0)
				uv.fs_read(kept.a, 2)
			]]):format(path, path))
			local one = master:clone()
			assert.equal("234", one:eval("return uv.fs_read(kept.a, 3)"))
			assert.same({ 5, 5, 0 }, { one:eval(
				"return system.offset(kept.a), system.offset(kept.b), system.offset(kept.c)") })
			assert.same({ 2, 2, 0 }, { master:eval(
				"return system.offset(kept.a), system.offset(kept.b), system.offset(kept.c)") })
		end)
	end)

	it("that the program writes is shared, so that lines do not overwrite each other", function()
		run(function(t)
			local master = puppet.start(t)
			local path = t.tmpdir() .. "/log"
			master:eval(("kept.log = io.open(%q, 'w') kept.log:setvbuf 'line'"):format(path))
			local one = master:clone()
			one:eval("kept.log:write 'clone\\n'")
			master:eval("kept.log:write 'master\\n'")
			assert.equal("clone\nmaster\n", io.open(path):read "a")
		end)
	end)

	for who, more in pairs { ["its own user"] = "", ["a user that may not open it"] = "become" } do
		it("that was locked, in a program of " .. who .. ", is not locked by its clones", function()
			if more == "become" and require("luv").getuid() ~= 0 then
				pending("only root can change its user")
			end
			run(function(t)
				local path = t.tmpdir() .. "/pid"
				local holder = puppet.start(t)
				holder:eval(SYSTEM .. ([[
					kept.pid = uv.fs_open(%q, "w+", 384)
					uv.fs_write(kept.pid, ("%%d"):format(uv.os_getpid()))
					assert(system.flock(kept.pid))
					kept.second = system.dup(kept.pid)
				]]):format(path))
				local other = puppet.start(t)
				other:eval(SYSTEM .. ("kept.pid = uv.fs_open(%q, 'r+', 384)"):format(path))
				if more == "become" then
					holder:call "list_domains" -- the engine is started as root
					holder:eval "system.become(65534)"
				end
				local one = holder:clone()
				assert.is_false(other:eval "return system.flock(kept.pid)")
				assert.equal(("%d"):format(holder.pid), one:eval "return uv.fs_read(kept.pid, 64, 0)")
				holder:eval "uv.fs_close(kept.pid) uv.fs_close(kept.second)"
				assert.equal(one.vmid, one:eval "return gc.vmid()")
				assert.is_true(other:eval "return system.flock(kept.pid)")
			end)
		end)
	end
end)

describe("a folder", function()
	it("that the program locked is not locked by its clones", function()
		run(function(t)
			local path = t.tmpdir()
			local holder, other = puppet.start(t), puppet.start(t)
			local lock = SYSTEM .. ("kept.dir = uv.fs_open(%q, 'r', 0)\n"):format(path)
				.. "return system.flock(kept.dir)"
			assert.is_true(holder:eval(lock))
			local one = holder:clone()
			assert.is_false(other:eval(lock))
			holder:eval "uv.fs_close(kept.dir)"
			assert.equal(1, one:eval "return gc.vmid()")
			assert.is_true(other:eval "return system.flock(kept.dir)")
		end)
	end)
end)

describe("descriptors", function()
	it("keep their CLOEXEC flag, whatever becomes of them", function()
		run(function(t)
			local master = puppet.start(t)
			local path = t.tmpdir() .. "/file"
			io.open(path, "w"):close()
			master:eval(SYSTEM .. ([[
				for i = 0, 1 do
					local ends = uv.pipe({ nonblock = true }, { nonblock = false })
					local fds = { file = uv.fs_open(%q, "r", 0), read = ends.read, write = ends.write,
						dead = uv.socketpair()[1], fresh = system.socket("inet", "dgram") }
					for name, fd in pairs(fds) do
						system.set_flags(fd, system.flags(fd).nonblock, i == 1)
						kept[name .. i] = fd
					end
				end
			]]):format(path))
			local look = [[
				local found = {}
				for name, fd in pairs(kept) do
					local flags = system.flags(fd)
					found[name] = { flags.nonblock, flags.cloexec }
				end
				return found
			]]
			local one = master:clone()
			local expected = master:eval(look)
			assert.same({ false, true }, expected.file1)
			assert.same(expected, one:eval(look))
		end)
	end)

	it("are not more in a clone of a clone", function()
		run(function(t)
			local one = puppet.start(t, { stdin = true }):clone()
			local two = one:clone()
			local function count(pid)
				local n = 0
				for _ in pairs(procfs.descriptors(pid)) do n = n + 1 end
				return n
			end
			one:eval "return 1"
			two:eval "return 1"
			assert.is_true(count(two.pid) <= count(one.pid))
		end)
	end)
end)
