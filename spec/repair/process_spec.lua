-- Signals, users, buffered output and names in a clone.
-- limit: 300 s

local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("repairs processes", function() pending(puppet.missing) end)
end

local function run(body) puppet.run(body, { timeout_ms = 60000 }) end

describe("SIGPIPE", function()
	it("ends no clone, and has its default action in programs that the clone starts", function()
		run(function(t)
			local one = puppet.start(t):clone()
			assert.equal("true", one:eval [[
				local ends = uv.pipe({}, {})
				uv.fs_close(ends.read)
				local n, err = uv.fs_write(ends.write, "x")
				return tostring(n == nil and err:find "^EPIPE" ~= nil)
			]])
			-- ends when its output is closed, if SIGPIPE ends it
			assert.is_true(one:eval [[
				local endless = io.popen "while :; do echo x; done 2>/dev/null"
				endless:read()
				endless:close()
				return true
			]])
		end)
	end)
end)

describe("a program that starts as root and changes its user", function()
	if uv.getuid() ~= 0 then
		return it("is cloned", function() pending "only root can change its user" end)
	end

	it("is cloned, again and again, and its clones die with the engine", function()
		run(function(t)
			local master = puppet.start(t)
			master:call "list_domains" -- the engine is started as root
			master:eval "require('gridcentric.spec_system').become(65534)"
			local one = master:clone()
			local two = one:clone()
			assert.equal(65534, two:eval "return uv.getuid()")
			assert.equal(2, two:eval "return gc.vmid()")
			uv.kill(master.pid, "sigkill")
			t.wait_until(function() return not uv.kill(one.pid, 0) and not uv.kill(two.pid, 0) end)
		end)
	end)
end)

describe("a thread that waits inside of a stream", function()
	it("does not hinder cloning, and what is buffered elsewhere is written once", function()
		run(function(t)
			local master = puppet.start(t)
			local dir = t.tmpdir()
			assert(os.execute("mkfifo " .. dir .. "/fifo"))
			master:eval(([[
				kept.log = io.open(%q, "w")
				kept.log:setvbuf "full"
				kept.log:write "once\n"
				kept.thread = uv.new_thread(function(path)
					for _ in io.lines(path) do end
				end, %q)
			]]):format(dir .. "/log", dir .. "/fifo"))
			-- opening it for writing waits for the thread; then that is in its read
			local writer = master:eval(([[
				local err, fd = await(function(wake) uv.fs_open(%q, "w", 0, wake) end)
				assert(not err, err)
				uv.fs_write(fd, "first\n")
				return fd
			]]):format(dir .. "/fifo"))
			local one, two = master:clone(2)
			one:eval "kept.log:close()"
			two:eval "kept.log:close()"
			master:eval "kept.log:close()"
			assert.equal("once\n", io.open(dir .. "/log"):read "a")
			master:eval(("uv.fs_close(%d) kept.thread:join()"):format(writer))
		end)
	end)
end)

describe("a clone that looks a name up", function()
	local function lookups(...)
		local arguments = { ... }
		run(function(t)
			local slow = assert(package.searchpath("gridcentric.spec_slow_names", package.cpath))
			local p = t.spawn { "lua5.4", paths.scripts .. "/names.lua", arguments[1], arguments[2],
				arguments[3], env = { LD_PRELOAD = (os.getenv "LD_PRELOAD" or "") .. " " .. slow } }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal(("%s of %s\n"):format(arguments[1], arguments[1]), p.stdout)
		end)
	end

	for _, k in ipairs { "1", "2", "4", "9" } do
		it("gets an answer while its master has " .. k .. " lookups under way", function()
			lookups("50", k)
		end)
	end

	it("gets an answer as a clone of clones with lookups under way", function()
		lookups("4", "4", "5")
	end)
end)
