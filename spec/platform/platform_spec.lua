local async = require "spec.support.async"
local puppet = require "spec.support.puppet"

describe("platform.inside", function()
	-- Runs a program with it; gives what it prints.
	local function run(t, text)
		local script = t.tmpdir() .. "/program.lua"
		local file = assert(io.open(script, "w"))
		file:write([[
			local gc = require "gridcentric"
			local uv = require "luv"
			local server = uv.new_tcp()
			server:bind("127.0.0.1", 0)
			server:listen(1, function() end)
			local inside = require("gridcentric.platform").inside { port = server:getsockname().port }
			io.stdout:setvbuf "line"
		]], text, "\nuv.run()\n")
		file:close()
		local process = t.spawn { "lua5.4", script }
		assert.equal(0, (process:wait()), process:describe())
		return process.stdout
	end

	it("passes over metrics of clones that the program made by itself", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			assert.equal("2 n 2\n", run(t, [[
				inside:on_metric(function(vmid, name, value)
					print(("%d %s %d"):format(vmid, name, value))
					os.exit(0)
				end)
				gc.on_clone(function(vmid) gc.metric("n", vmid) end)
				gc.request_ticket(1, 1, 1, 1000, function(ticket)
					gc.clone(ticket, function(vmid)
						uv.new_timer():start(10000, 0, function() end)
						if vmid == 0 then inside:clone(1, function() end) end
					end)
				end)
			]]))
		end)
	end)

	it("is closed if there is no engine to end", function()
		async.run(function(t)
			assert.equal("closed\n", run(t, [[
				inside:close(0, function() print "closed" os.exit(0) end)
			]]))
		end)
	end)
end)
