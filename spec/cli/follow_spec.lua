-- How often gcscale events --follow asks: an engine's program that counts is in between.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local uv = require "luv"

local function count_lines(path)
	local n = 0
	for _ in io.lines(path) do n = n + 1 end
	return n
end

describe("gcscale events --follow", function()
	it("asks the ledger when it has changed, and not while nothing happens", function()
		async.run(function(t)
			local s = gcscale.start(t, [[return { app = { script = "program.lua" }, watch = true,
				clones = { min = 1 }, scale = function() return 1 end }]])
			s.p:line("clone 1 ready", 10000)
			local log, program = t.tmpdir() .. "/log", t.tmpdir() .. "/engine"
			gcscale.write(log, "")
			gcscale.write(program, ('#!/bin/sh\necho "$@" >>%s\nexec %s "$@"\n'):format(log, paths.engine))
			assert(uv.fs_chmod(program, tonumber("755", 8)))
			local p = t.spawn { paths.gcscale, "events", "--follow", "--name", s.name,
				env = { GRIDCENTRIC_ENGINE = program } }
			p:line("clone 1 ready", 10000)
			t.wait_until(function() return count_lines(log) >= 2 end, 10000, "the queries")
			for _ = 1, 3 do
				local code, said = s:run "pause"
				assert.equal(0, code, said)
				p:line("paused", 10000)
				assert.equal(0, (s:run "resume"))
				p:line("the policy decides again", 10000)
			end
			-- where the folder is, the first query, and a few for each of six commands
			assert.is_true(count_lines(log) <= 2 + 3 * 6, count_lines(log))
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
			p:line("clone 1 ready", 20000)
			s.p:stop()
			p:kill "sigint"
			p:wait()
			assert.equal("", p.stderr)
		end, { timeout_ms = 60000 })
	end)
end)
