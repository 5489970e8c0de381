-- What setup() checks and reports. Whole runs are in system/gcscale_spec.lua.

local async = require "spec.support.async"

describe("autoscale.setup", function()
	-- Runs setup() in a program; gives its exit status and standard error.
	local function setup(t, arguments, env)
		local script = t.tmpdir() .. "/program.lua"
		local file = assert(io.open(script, "w"))
		file:write(('require("gridcentric.autoscale").setup(%s)\n'):format(arguments))
		file:close()
		local process = t.spawn { "lua5.4", script, env = env }
		return process:wait(), process.stderr
	end

	local function refuses(arguments, expected)
		async.run(function(t)
			local status, said = setup(t, arguments)
			assert.equal(1, status)
			assert.matches("program.lua:1: " .. expected, said)
		end)
	end

	it("refuses wrong ports", function()
		refuses("80", "bad argument #2 to 'setup' %(port expected, got nil%)")
		refuses("70000, 80", "bad argument #1 to 'setup' %(port expected, got 70000%)")
		refuses("'http', 80", "bad argument #1 to 'setup'")
	end)

	it("refuses unknown options", function()
		refuses("0, 80, { perclone = 2 }", 'setup: unknown key "perclone" %(did you mean "per_clone"%?%)')
		refuses("0, 80, { min = 5, max = 4 }", "setup: clones: min is 5, but max 4")
		refuses("0, 80, { host = 'nowhere' }", "setup: listen: a port or")
		refuses("0, 80, { log = 1 }", "setup: log: a function or false expected, got 1")
	end)

	it("refuses a port that another program listens on", function()
		async.run(function(t)
			local port = t.listen(function() end)
			local status, said = setup(t, port .. ", 80")
			assert.equal(1, status)
			assert.matches("program.lua:1: setup: cannot listen on 127.0.0.1:%d+: .*"
				.. "; another program listens there", said)
		end)
	end)

	it("refuses an address for /metrics that is in use", function()
		async.run(function(t)
			local port = t.listen(function() end)
			local path = t.tmpdir() .. ("/x"):rep(60)
			for admin, expected in pairs {
				[tostring(port)] = "admin: cannot listen on 127.0.0.1:%d+: EADDRINUSE",
				[("%q"):format("unix:" .. path)] = "admin: cannot listen on unix:.*: the path of a unix socket",
			} do
				local status, said = setup(t, ("0, 80, { admin = %s }"):format(admin))
				assert.equal(1, status)
				assert.matches("program.lua:1: setup: " .. expected, said)
			end
		end)
	end)

	it("reports where it listens to its log", function()
		async.run(function(t)
			local status, said = setup(t, [[0, 80, { log = function(what, vmid, text)
				io.stderr:write(what, ": ", text, "\n")
				os.exit(0)
			end })
			require("luv").run(]])
			assert.equal(0, status)
			assert.matches("^start: listens on 127.0.0.1:%d+\n$", said)
		end)
	end)

	it("gives an object that reports and shuts down, and has nothing else", function()
		async.run(function(t)
			local script = t.tmpdir() .. "/program.lua"
			io.open(script, "w"):write([[
				local service = require("gridcentric.autoscale").setup(0, 80, { log = false })
				local metatable = getmetatable(service)
				local names = {}
				for name in pairs(metatable) do
					if not name:find "^__" then names[#names + 1] = name end
				end
				table.sort(names)
				print(next(service), metatable.__name, table.concat(names, " "))
				print(service:report().listen:match "^127.0.0.1:" ~= nil)
				service:shutdown(function() print "over" os.exit(0) end)
				require("luv").run()
			]]):close()
			local process = t.spawn { "lua5.4", script }
			assert.equal(0, (process:wait()), process:describe())
			assert.equal("nil\tgridcentric.Service\treport shutdown\ntrue\nover\n", process.stdout)
		end)
	end)

	it("names the port on which nothing listens", function()
		async.run(function(t)
			local _, said = setup(t, [[0, 9999, { min = 1, log = function(what, vmid, text)
				if what == "start" or what == "decision" then return end
				io.stderr:write(what, ": ", text, "\n")
				os.exit(0)
			end })
			local server = require("luv").new_tcp()
			server:bind("127.0.0.1", 0)
			server:listen(1, function() end)
			require("luv").run(]])
			assert.matches("nothing listens on port 9999: this program listens on port %d+", said)
		end)
	end)

	it("goes on if its log fails", function()
		async.run(function(t)
			local status, said = setup(t, [[0, 80, { log = function() error "full" end })
				require("luv").new_timer():start(0, 0, function() os.exit(7) end)
				require("luv").run(]])
			assert.equal(7, status)
			assert.matches("autoscale: log: .*program.lua:1: full", said)
		end)
	end)
end)
