-- limit: 180 s
-- How a service stands to the terminal and the descriptors that it was started with.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("gcscale run", function() pending(puppet.missing) end)
end

local POLICY = [[return { app = { script = "program.lua" }, clones = { min = 1 } }]]

local function it_runs(name, body)
	it(name, function() async.run(body, { timeout_ms = 60000 }) end)
end

-- A shell that starts gcscale in some way; `script` finds the command in $GCSCALE.
local function start_by(t, script, ...)
	local file = gcscale.policy_file(t, POLICY, gcscale.PROGRAM)
	local port = t.free_port()
	local command = ("%s %s --listen 127.0.0.1:%d"):format(paths.gcscale, file, port)
	return t.spawn { "sh", "-c", script, ..., env = { GCSCALE = command } }, port
end

-- The process of gcscale, which some other program has started.
local function find_service(t, port)
	local p = t.spawn { "pgrep", "-f", "gcscale.lua .*--listen 127.0.0.1:" .. port,
		foreign = true }
	assert.equal(0, (p:wait()))
	return assert(tonumber(p.stdout:match "^%d+"))
end

local function wait_served(t, p, port)
	t.wait_until(function()
		if not p:alive() then error(p:describe(), 0) end
		local c = t.connect { port = port }
		if not c then return false end
		c:close()
		return t.http({ port = port, path = "/" }).status == 200
	end, nil, "an answer")
end

describe("gcscale run", function()
	it_runs("loads its file again at SIGHUP where it has no terminal", function(t)
		local s = gcscale.start(t, POLICY)
		s.p:kill "sighup"
		s.p:line("reload %- the policy file was loaded again")
		assert.equal(1, s:who())
		assert.equal(0, (s.p:stop()))
	end)

	it_runs("ends in order at SIGHUP where it was started on a terminal", function(t)
		local p, port = start_by(t, "exec script -qec \"$GCSCALE\" /dev/null")
		p:line("clone 1 ready")
		uv.kill(find_service(t, port), "sighup")
		assert.equal(0, p:wait(), p:describe())
		assert.not_matches("loaded again", p.stdout)
	end)

	it_runs("ends when its terminal is closed", function(t)
		local p, port = start_by(t, "exec script -qec \"$GCSCALE\" /dev/null")
		p:line("clone 1 ready")
		local pid = find_service(t, port)
		p:kill "sigkill"
		t.wait_until(function() return not uv.fs_stat("/proc/" .. pid) end, nil, "its end")
	end)

	it_runs("loads its file again at SIGHUP where nohup has it ignored", function(t)
		local p, port = start_by(t, "exec script -qec \"trap '' HUP; exec $GCSCALE\" /dev/null")
		p:line("clone 1 ready")
		local pid = find_service(t, port)
		uv.kill(pid, "sighup")
		p:line("the policy file was loaded again")
		uv.kill(pid, "sigterm")
		assert.equal(0, p:wait(), p:describe())
	end)

	it_runs("labels what the program and its clones write", function(t)
		local s = gcscale.start(t, POLICY, [[
			print "hello"
			io.stderr:write("a warning\27[2J\255\nhalf a line")
			io.write(("x"):rep(10000), "\n")
			require("gridcentric").on_clone(function() print "a clone" end)
		]] .. gcscale.PROGRAM)
		local time = "^%d+%-%d+%-%d+T%d+:%d+:%d+%S+ "
		s.p:line(time .. "output %- a clone$")
		assert.matches("T%S+ output %- hello\n", s.p.stdout)
		local long = 0
		for xs in s.p.stdout:gmatch "T%S+ output %- (x+)\n" do long = long + #xs end
		assert.equal(10000, long)
		s.p:errline(time .. "output %- a warning %[2J\u{FFFD}$")
		assert.equal(0, (s.p:stop()))
		assert.matches("output %- half a line\n$", s.p.stderr)
		assert.not_matches("hello", s.p.stderr)
	end)

	it_runs("shows the last words of a program that fails at once", function(t)
		local file = gcscale.policy_file(t, POLICY, "print 'one' error 'two'")
		local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:0" }
		assert.equal(1, (p:wait()))
		assert.matches("output %- one\n", p.stdout)
		assert.matches("output %- lua5.4: .*program.lua:1: two\n", p.stderr)
	end)

	it_runs("goes on when nobody reads its output any more", function(t)
		local status = t.tmpdir() .. "/status"
		local script = "{ $GCSCALE 2>/dev/null; echo $? >" .. status .. "; } | head -1"
		local p, port = start_by(t, script)
		p:line("is running on port")
		wait_served(t, p, port)
		local scale = t.spawn { paths.gcscale, "scale", "2" } -- more events are written to nobody
		assert.equal(0, scale:wait(), scale.stderr)
		wait_served(t, p, port)
		uv.kill(find_service(t, port), "sigterm")
		p:wait()
		assert.equal("0\n", io.open(status):read "a")
	end)

	for name, redirections in pairs { all = "<&- >&- 2>&-", ["standard input"] = "<&-",
		["standard output"] = ">&-", ["standard error"] = "2>&-" } do
		it_runs(("runs and ends with %s closed"):format(name), function(t)
			local p, port = start_by(t, "exec $GCSCALE " .. redirections)
			wait_served(t, p, port)
			assert.equal(0, (p:stop()))
			assert.equal("", p.stderr)
		end)
	end
end)
