-- Hooks: programs of the administrator, run beside any event loop.

local uv = require "luv"
local async = require "spec.support.async"
local parts = require "spec.support.parts"
local procfs = require "spec.support.procfs"

local function write_file(path, text, mode)
	local file = assert(io.open(path, "w"))
	file:write(text)
	file:close()
	uv.fs_chmod(path, mode or 493) -- 0755
end

-- Parts whose hooks lie in a folder of their own; pre-clone is the script.
local function open(t, script, mode)
	if parts.needs_pidfd() then pending(parts.needs_pidfd()) end
	local dir = t.tmpdir()
	uv.os_setenv("GRIDCENTRIC_HOOKS", dir)
	t.defer(function() uv.os_unsetenv("GRIDCENTRIC_HOOKS") end)
	if script then write_file(dir .. "/pre-clone", script, mode) end
	local p = parts.open(t)
	p.core:hooks()
	return p, dir
end

local function set_limit(t, seconds)
	uv.os_setenv("GRIDCENTRIC_HOOK_TIMEOUT", seconds)
	t.defer(function() uv.os_unsetenv("GRIDCENTRIC_HOOK_TIMEOUT") end)
end

-- Runs pre-clone to its end. Gives the error's text and code (nil: none), the output.
local function run(p, ...)
	local id, text, code = p.core:hook("pre-clone", ...)
	if not id then return text, code, "" end
	return select(2, p:answer(id))
end

describe("a hook", function()
	it("that is not there is not taken for one", function()
		async.run(function(t)
			local p, dir = open(t)
			assert.is_false(p.core:hook_exists("pre-clone"))
			write_file(dir .. "/pre-clone", "", 0)
			assert.is_true(p.core:hook_exists("pre-clone"))
			uv.fs_unlink(dir .. "/pre-clone")
			uv.fs_symlink(dir .. "/nothing", dir .. "/pre-clone")
			assert.is_true(p.core:hook_exists("pre-clone")) -- broken is not missing
		end)
	end)

	it("gets vmid, ticket and address, stdin from /dev/null, and is heard", function()
		async.run(function(t)
			uv.os_setenv("GC_VMID", "of an outer clone")
			t.defer(function() uv.os_unsetenv("GC_VMID") end)
			local p = open(t, "#!/bin/sh\nenv | grep ^GC_ | sort\n"
				.. "readlink /proc/self/fd/0; echo on stderr >&2")
			assert.same({ nil, nil, "GC_ADDRESS=127.64.0.7\nGC_TICKET=some-uuid\nGC_VMID=7\n"
				.. "/dev/null\non stderr" }, { run(p, 7, "some-uuid", "127.64.0.7") })
		end)
	end)

	it("has a process group, default signals and no descriptors of ours", function()
		async.run(function(t)
			-- in Lua: a shell blocks signals and opens files as it goes
			local p = open(t, [[#!/usr/bin/lua5.4
				local pid, group = io.open("/proc/self/stat"):read("a"):match("^(%d+) .*%) %a %d+ (%d+)")
				print(pid == group)
				for line in io.lines("/proc/self/status") do
					local name, bits = line:match("^Sig(%a+):%s+%x+(%x%x%x%x%x%x%x%x)$")
					if name == "Blk" or name == "Ign" then print(name, tonumber(bits, 16) & ~(1 << 31)) end
				end
				collectgarbage()
				for fd = 3, 300 do
					if io.open("/proc/self/fd/" .. fd) then print("descriptor", fd) end
				end]])
			-- the first 32 signals, without the one that glibc keeps to itself
			assert.same({ nil, nil, "true\nBlk\t0\nIgn\t0" }, { run(p) })
		end)
	end)

	it("can be the first of several that run side by side", function()
		async.run(function(t)
			local p = open(t, "#!/bin/sh\necho $GC_VMID")
			local ids = {}
			for vmid = 1, 20 do ids[vmid] = p.core:hook("pre-clone", vmid) end
			for vmid = 1, 20 do
				assert.same({ "hook", nil, nil, tostring(vmid) }, { p:answer(ids[vmid]) })
			end
		end)
	end)

	for name, case in pairs{
		["exits with another status than 0"] = {
			"#!/bin/sh\necho some words\necho no licence >&2\nexit 3", "exit status 3: no licence" },
		["exits so without a word"] = { "#!/bin/sh\nexit 255", "exit status 255" },
		["is killed"] = { "#!/bin/sh\nkill -USR1 $$", "killed by SIGUSR1" },
		["is not executable"] = { "#!/bin/sh\n", "not executable", 420 },
		["has an interpreter that is missing"] = { "#!/no/such/shell\n", "its interpreter is missing" },
		["is no program"] = { "echo hello\n", "not a program (no #! line?)" },
	} do
		it("that " .. name .. " fails", function()
			async.run(function(t)
				local p = open(t, case[1], case[3])
				local before = procfs.descriptors("self")
				local text, code = run(p)
				assert.equal("pre-clone: " .. case[2], text)
				assert.equal("GC_EHOOK", code)
				assert.same(before, procfs.descriptors("self"))
			end)
		end)
	end

	it("that hangs is killed after its time limit, with all of its group", function()
		async.run(function(t)
			set_limit(t, "0.2")
			local p, dir = open(t, "#!/bin/sh\necho $$ >${0%/*}/pid\nsleep 1000 & sleep 1000")
			assert.equal("pre-clone: killed after 0.2 s", (run(p)))
			local pid = math.tointeger(io.open(dir .. "/pid"):read("n"))
			t.wait_until(function()
				for _, stat in ipairs(procfs.marked(t.mark)) do
					if stat.pgrp == pid then return false end
				end
				return true
			end, nil, "the end of the hook's children")
		end)
	end)

	it("that ignores SIGTERM and floods is killed after its time limit", function()
		async.run(function(t)
			set_limit(t, "0.2")
			local p = open(t, "#!/bin/sh\ntrap '' TERM\nwhile :; do echo flood; done")
			local text, _, output = run(p)
			assert.equal("pre-clone: killed after 0.2 s", text)
			assert.is_true(#output <= 2048)
		end)
	end)

	it("that prints much keeps its end, and is not held up", function()
		async.run(function(t)
			local p = open(t, "#!/bin/sh\n"
				.. "head -c 3000000 /dev/zero | tr '\\0' x\necho\necho last words\nexit 1")
			local text, _, output = run(p)
			assert.equal("pre-clone: exit status 1: last words", text)
			assert.equal(2047, #output) -- but for the last line end
			assert.matches("^x+\nlast words$", output)
		end)
	end)

	it("that prints rubbish is shown without", function()
		async.run(function(t)
			local p = open(t, "#!/bin/sh\nprintf 'a\\0b\\033c\\377d\\303\\244\\ttab"
				.. "\\302\\2331\\177\\302\\240\\n\\n'; exit 1")
			local text, _, output = run(p)
			assert.equal("pre-clone: exit status 1: a?b?c?dä\ttab??1?\xC2\xA0", text)
			assert.equal("a?b?c?dä\ttab??1?\xC2\xA0", output)
		end)
	end)

	it("that leaves a child with its output behind is not waited for", function()
		async.run(function(t)
			local p, dir = open(t, "#!/bin/sh\n"
				.. "(while :; do echo again; sleep 0.01; done) & echo $! >${0%/*}/pid\necho done")
			assert.is_nil((run(p)))
			local pid = math.tointeger(io.open(dir .. "/pid"):read("n"))
			t.wait_until(function() return not procfs.alive(pid) end, nil, "SIGPIPE") -- nobody reads
		end)
	end)

	it("that is cancelled is killed, reaped, and not heard of", function()
		async.run(function(t)
			local p = open(t, "#!/bin/sh\nexec sleep 1000")
			local id = p.core:hook("pre-clone")
			p.core:cancel_hook(id)
			t.wait_until(function() return #procfs.children(uv.os_getpid()) == 0 end)
			assert.is_nil(p.events[id])
		end)
	end)

	it("under way is killed when the engine ends", function()
		async.run(function(t)
			local _, dir = open(t, "#!/bin/sh\nsleep 1000")
			local other = parts.spawn(t, { GRIDCENTRIC_HOOKS = dir })
			other:run("core:hooks()")
			other:run("core:hook('pre-clone')")
			other.process:close_stdin()
			assert.equal(0, (other.process:wait())) -- the run fails where a process is left
		end)
	end)
end)

-- The case that failed under Node: the program's event loop reaps all children.
describe("a hook of an engine whose owner reaps every child", function()
	it("has its exit status seen", function()
		async.run(function(t)
			local p = open(t, "#!/bin/sh\nexit 5")
			local signal = uv.new_signal()
			t.defer(function() signal:close() end)
			signal:start("sigchld", function() end)
			local child
			for _ = 1, 20 do -- libuv's own children come and go at the same time
				child = t.spawn{ "true" }
				assert.equal("pre-clone: exit status 5", (run(p)))
				child:wait()
			end
		end)
	end)
end)

describe("the time limit", function()
	for text, ms in pairs{ [""] = 10000, ["3"] = 3000, ["0.25"] = 250, ["86400"] = 86400000 } do
		it(("is %d ms for %q"):format(ms, text), function()
			async.run(function(t)
				set_limit(t, text)
				assert.equal(ms, parts.open(t).core:hooks())
			end)
		end)
	end

	for _, text in ipairs{ "0", "-1", "soon", "1s", "nan", "86401", "inf" } do
		it(("cannot be %q: that is told, and 10 s taken"):format(text), function()
			async.run(function(t)
				local other = parts.spawn(t, { GRIDCENTRIC_HOOK_TIMEOUT = text })
				assert.equal("10000", (other:run("core:hooks()")))
				assert.matches("GRIDCENTRIC_HOOK_TIMEOUT: not a number of seconds up to 86400: " .. text,
					other.process:errline("."), 1, true)
				other.process:close_stdin()
				other.process:wait()
			end)
		end)
	end
end)
