-- limit: 180 s
-- How a service stands to the terminal and the descriptors that it was started with.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local uv = require "luv"

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
	local p = t.spawn { "pgrep", "-f", "gcscale.lua .*--listen 127.0.0.1:" .. port }
	assert.equal(0, (p:wait()))
	return assert(tonumber(p.stdout:match "^%d+"))
end

local function wait_served(t, port)
	t.wait_until(function()
		local c = t.connect { port = port }
		if not c then return false end
		c:close()
		return t.http({ port = port, path = "/" }).status == 200
	end, 20000, "an answer")
end

describe("gcscale run", function()
	it_runs("loads its file again at SIGHUP where it has no terminal", function(t)
		local s = gcscale.start(t, POLICY)
		s.p:kill "sighup"
		s.p:line("reload %- the policy file was loaded again", 10000)
		assert.equal(1, s:who())
		assert.equal(0, (s.p:stop()))
	end)

	it_runs("ends in order at SIGHUP where it was started on a terminal", function(t)
		local p, port = start_by(t, "exec script -qec \"$GCSCALE\" /dev/null")
		p:line("clone 1 ready", 20000)
		uv.kill(find_service(t, port), "sighup")
		assert.equal(0, p:wait(20000), p:describe())
		assert.not_matches("loaded again", p.stdout)
	end)

	it_runs("ends when its terminal is closed", function(t)
		local p, port = start_by(t, "exec script -qec \"$GCSCALE\" /dev/null")
		p:line("clone 1 ready", 20000)
		local pid = find_service(t, port)
		p:kill "sigkill"
		t.wait_until(function() return not uv.fs_stat("/proc/" .. pid) end, 20000, "its end")
	end)

	it_runs("loads its file again at SIGHUP where nohup has it ignored", function(t)
		local p, port = start_by(t, "exec script -qec \"trap '' HUP; exec $GCSCALE\" /dev/null")
		p:line("clone 1 ready", 20000)
		local pid = find_service(t, port)
		uv.kill(pid, "sighup")
		p:line("the policy file was loaded again", 10000)
		uv.kill(pid, "sigterm")
		assert.equal(0, p:wait(20000), p:describe())
	end)

	it_runs("goes on when nobody reads its output any more", function(t)
		local status = t.tmpdir() .. "/status"
		local script = "{ $GCSCALE 2>/dev/null; echo $? >" .. status .. "; } | head -1"
		local p, port = start_by(t, script)
		p:line("is running on port", 20000)
		wait_served(t, port)
		local scale = t.spawn { paths.gcscale, "scale", "2" } -- more events are written to nobody
		assert.equal(0, scale:wait(), scale.stderr)
		wait_served(t, port)
		uv.kill(find_service(t, port), "sigterm")
		p:wait(20000)
		assert.equal("0\n", io.open(status):read "a")
	end)

	for name, redirections in pairs { all = "<&- >&- 2>&-", ["standard input"] = "<&-",
		["standard output"] = ">&-", ["standard error"] = "2>&-" } do
		it_runs(("runs and ends with %s closed"):format(name), function(t)
			local p, port = start_by(t, "exec $GCSCALE " .. redirections)
			wait_served(t, port)
			assert.equal(0, (p:stop(20000)))
			assert.equal("", p.stderr)
		end)
	end
end)
