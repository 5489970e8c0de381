-- limit: 120 s
-- Commands that look for engines: among several, silent ones, and in folders that cannot be read.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("engines", function() pending(puppet.missing) end)
end

local POLICY = [[return { app = { script = "program.lua" }, clones = { min = 1 } }]]

local function run(t, ...)
	local p = t.spawn { paths.gcscale, ... }
	return p:wait(), p.stdout, p.stderr
end

describe("gcscale status", function()
	it("shows the other engines where one does not answer, and names that", function()
		async.run(function(t)
			local silent = gcscale.start(t, POLICY)
			local other = gcscale.start(t, POLICY)
			local engine = silent:status().pid
			uv.kill(engine, "sigstop")
			t.defer(function() uv.kill(engine, "sigcont") end)
			local code, out, err = run(t, "status")
			assert.equal(1, code)
			assert.is_truthy(out:find(other.name .. ", engine %d+: http on"))
			assert.is_truthy(out:find(("%s, engine %d: no answer within 2 s"):format(silent.name, engine), 1,
				true))
			assert.equal(("gcscale: %s-%d: no answer within 2 s\n"):format(silent.name, engine), err)
			code, out = run(t, "status", "--json")
			assert.equal(1, code)
			local states = {}
			for _, state in ipairs(json.decode(out)) do states[state.name] = state end
			assert.equal("no answer within 2 s", states[silent.name].error)
			assert.is_nil(states[other.name].error)
			assert.equal(0, (run(t, "status", "--name", other.name)))
			uv.kill(engine, "sigcont")
			silent.p:stop()
			other.p:stop()
		end, { timeout_ms = 60000 })
	end)

	it("says why the state folder cannot be read", function()
		async.run(function(t)
			local dir = t.tmpdir()
			local file = gcscale.write(dir .. "/file", "")
			assert(uv.fs_symlink(dir, dir .. "/link"))
			for path, expected in pairs {
				[file] = "Not a directory",
				[dir .. "/link"] = "is a link",
				[file .. "/x"] = "Not a directory",
			} do
				for _, command in ipairs { "status", "events", "tickets", "why", "pause" } do
					local p = t.spawn { paths.gcscale, command, env = { GRIDCENTRIC_STATE = path } }
					assert.equal(1, p:wait(), command)
					assert.matches(expected, p.stderr)
					assert.equal("", p.stdout)
				end
			end
		end)
	end)

	it("says that the state folder belongs to somebody else #root", function()
		async.run(function(t)
			local dir = t.tmpdir()
			local p = t.spawn { "setpriv", "--reuid=65534", "--clear-groups", paths.gcscale, "status",
				env = { GRIDCENTRIC_STATE = dir } }
			assert.equal(1, p:wait(), p:describe())
			assert.matches("Permission denied", p.stderr)
		end)
	end)
end)

describe("gcscale why", function()
	it("explains the service that is running, not one that ended later", function()
		async.run(function(t)
			local s = gcscale.start(t, POLICY)
			s.p:line("clone 1 ready")
			local ended = gcscale.start(t, POLICY)
			ended.p:line("clone 1 ready")
			local code, _, err = run(t, "why")
			assert.equal(2, code)
			assert.matches("several services are running; choose one with %-%-name: ", err)
			ended.p:stop()
			local out
			code, out = run(t, "why")
			assert.equal(0, code)
			assert.is_truthy(out:find("the policy of " .. s.name, 1, true))
			code, out = run(t, "why", "--name", ended.name)
			assert.equal(0, code)
			assert.is_truthy(out:find("the policy of " .. ended.name, 1, true))
			s.p:stop()
			assert.equal(0, (run(t, "why"))) -- of those that have ended, the last decision
			assert.same({}, procfs.children(uv.os_getpid()))
		end, { timeout_ms = 60000 })
	end)
end)
