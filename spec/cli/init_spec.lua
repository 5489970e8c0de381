local async = require "spec.support.async"
local paths = require "spec.support.paths"

describe("gcscale", function()
	-- Runs it to its end: exit status, stdout, stderr.
	local function gcscale(t, ...)
		local process = t.spawn { paths.gcscale, ... }
		return process:wait(), process.stdout, process.stderr
	end

	it("explains itself", function()
		async.run(function(t)
			local code, out = gcscale(t, "--help")
			assert.equal(0, code)
			for _, command in ipairs {
				"run", "status", "tickets", "events",
				"reload", "pause", "resume", "scale", "drain", "kill", "run%-image", "image",
			} do
				assert.matches("\n +" .. command .. " ", out)
			end
			code, out = gcscale(t, "--version")
			assert.equal(0, code)
			assert.matches("^gcscale %d+%.%d+%.%d+\n$", out)
		end)
	end)

	it("ends with status 2 where the command line is wrong", function()
		async.run(function(t)
			for args, expected in pairs {
				[{}] = "a command is required",
				[{ "statsu" }] = "no such command or file: statsu %(did you mean status%?%)",
				[{ "events", "--limit", "0" }] = 'a whole number from 1 expected, got "0"',
				[{ "x.lua", "--listen", "nowhere" }] = "%-%-listen: a port or",
				[{ "x.lua", "--lisen", "1" }] = "unknown option",
				[{ "run-image" }] = "missing argument 'image'",
				[{ "run-image", "x", "--memory", "1" }] = '%-%-memory: a size such as "256M" or "2 GB"',
				[{ "run-image", "x", "--cpus", "x" }] = "%-%-cpus: a whole number from 1 to 255",
				[{ "run-image", "x", "--accel", "hvf" }] = '%-%-accel: "auto", "kvm" or "tcg"',
				[{ "run-image", "x", "--port", "65536" }] = "%-%-port: a port from 0 to 65535 expected",
				[{ "run-image", "x", "--name", "@" }] = "%-%-name: a name of letters",
				[{ "run-image", "x", "--forward", "a:1" }] = "%-%-forward: a port or",
				[{ "run-image", "x", "--port", "0", "--forward", "1" }] = "%-%-forward needs a %-%-port",
				[{ "image", "check" }] = "missing argument 'image'",
			} do
				local code, _, err = gcscale(t, table.unpack(args))
				assert.equal(2, code)
				assert.matches(expected, err)
			end
		end)
	end)

	it("ends with status 3 where the policy file is wrong", function()
		async.run(function(t)
			local path = t.tmpdir() .. "/policy.lua"
			local file = assert(io.open(path, "w"))
			file:write "return { listn = 8080 }"
			file:close()
			local code, _, err = gcscale(t, path)
			assert.equal(3, code)
			assert.equal(("gcscale: %s: %s\n"):format(path,
				'unknown key "listn" (did you mean "listen"?)'), err)
			code, _, err = gcscale(t, "/nowhere.lua")
			assert.equal(3, code)
			assert.equal("gcscale: /nowhere.lua: No such file or directory\n", err)
		end)
	end)

	it("ends with status 4 where nothing runs", function()
		async.run(function(t)
			local code, out, err = gcscale(t, "status")
			assert.equal(4, code)
			assert.equal("", out)
			assert.equal("gcscale: nothing runs\n", err)
			code, out = gcscale(t, "status", "--json")
			assert.equal(4, code)
			assert.equal("[]\n", out)
		end)
	end)
end)
