-- How often gcscale events --follow asks: an engine's program that counts is in between.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("events --follow", function() pending(puppet.missing) end)
end

local function count_lines(path)
	local n = 0
	for _ in io.lines(path) do n = n + 1 end
	return n
end

-- How often a process has waited for something.
local function count_waits(pid)
	local text = assert(io.open(("/proc/%d/status"):format(pid))):read "a"
	return tonumber(text:match "\nvoluntary_ctxt_switches:%s*(%d+)")
end

-- Until a process, which does so once a second, has looked for changes n times more.
local function wait_looks(t, pid, n)
	local before = count_waits(pid)
	t.wait_until(function() return count_waits(pid) >= before + n end, 30000, "looks")
end

describe("gcscale events --follow", function()
	it("asks the ledger when it has changed, and not while nothing happens", function()
		async.run(function(t)
			local s = gcscale.start(t, [[return { app = { script = "program.lua" }, watch = true,
				clones = { min = 1 }, scale = function() return 1 end }]])
			s.p:line("clone 1 ready")
			local log, program = t.tmpdir() .. "/log", t.tmpdir() .. "/engine"
			gcscale.write(log, "")
			gcscale.write(program, ('#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n'):format(log, paths.engine))
			assert(uv.fs_chmod(program, tonumber("755", 8)))
			local p = t.spawn { paths.gcscale, "events", "--follow", "--name", s.name,
				env = { GRIDCENTRIC_ENGINE = program } }
			p:line("clone 1 ready")
			t.wait_until(function() return count_lines(log) >= 2 end, nil, "the queries")
			for _ = 1, 3 do
				local code, said = s:run "pause"
				assert.equal(0, code, said)
				p:line("paused")
				assert.equal(0, (s:run "resume"))
				p:line("the policy decides again")
			end
			-- where the folder is, the first query, and for each of six commands one or two at once and
			-- two afterwards
			assert.is_true(count_lines(log) <= 2 + 4 * 6, count_lines(log))
			local rounds, n = 0
			repeat
				n, rounds = count_lines(log), rounds + 1
				wait_looks(t, p.pid, 8)
			until count_lines(log) == n or rounds == 5
			assert.equal(n, count_lines(log))
			s.p:stop()
			p:kill "sigint"
			p:wait()
		end, { timeout_ms = 60000 })
	end)

	it("waits for a state folder that does not exist yet", function()
		async.run(function(t)
			local state = t.tmpdir() .. "/state"
			local p = t.spawn { paths.gcscale, "events", "--follow", env = { GRIDCENTRIC_STATE = state } }
			local s = gcscale.start(t, [[return { app = { script = "program.lua" },
				clones = { min = 1 } }]], nil, { env = { GRIDCENTRIC_STATE = state } })
			p:line("clone 1 ready")
			s.p:stop()
			p:kill "sigint"
			p:wait()
			assert.equal("", p.stderr)
		end, { timeout_ms = 60000 })
	end)
end)
