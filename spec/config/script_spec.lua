local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local policy = require "gridcentric.config.load"
local script = require "gridcentric.config.script"

describe("a program's script", function()
	it("may be Lua, with or without a first line that says so", function()
		async.run(function(t)
			local file = t.tmpdir() .. "/program"
			for _, text in ipairs { "", "return 1", "#!/usr/bin/env lua5.4\nreturn 1", "#!/usr/bin/lua\n",
				string.dump(function() end) } do
				assert.is_true(script.check(gcscale.write(file, text)))
			end
		end)
	end)

	it("may be nothing else", function()
		async.run(function(t)
			local dir = t.tmpdir()
			for text, expected in pairs {
				["#!/usr/bin/python3\nimport sys"] = "program is a script for python3: only Lua programs",
				["#!/usr/bin/env -S ruby -w\n"] = "program is a script for ruby: ",
				["#! /bin/sh\nexit"] = "program is a script for sh: ",
				["import sys\nprint(sys.argv)"] = "program is not a Lua program: .*program:1: syntax error",
				["x = = 1"] = "program is not a Lua program: .*program:1: unexpected symbol",
			} do
				local ok, err = script.check(gcscale.write(dir .. "/program", text))
				assert.is_nil(ok)
				assert.matches(expected, err)
			end
			assert.matches("is a compiled program: ", select(2, script.check(paths.engine)))
		end)
	end)

	it("is checked with the policy file, by check and before a service starts", function()
		async.run(function(t)
			local file, dir = gcscale.policy_file(t, 'return { app = { script = "server.py" } }')
			gcscale.write(dir .. "/server.py", "import asyncio\n")
			local p, err = policy.load(file)
			assert.is_nil(p)
			assert.matches("policy.lua: app: script: server.py is not a Lua program: ", err)
			for _, command in ipairs { "check", "run" } do
				local process = t.spawn { paths.gcscale, command, file }
				assert.equal(3, (process:wait()))
				assert.is_truthy(process.stderr:find(err, 1, true))
			end
		end)
	end)

	it("is what `command` and the like are taken for", function()
		async.run(function(t)
			local file = gcscale.policy_file(t, 'return { app = { command = "./c1" } }')
			assert.matches('unknown key "command" %(did you mean "script"%?%)', select(2, policy.load(file)))
		end)
	end)
end)
