-- The port through which the agent of a VM reaches the engine.

local agent = require "spec.support.agent"
local wire = require "gridcentric.spec_wire"

if agent.missing then
	return it("the agent's port", function() pending(agent.missing) end)
end

describe("a port", function()
	it("is waited for, and the agent ends where there is none", function()
		agent.run(function(t)
			local engine = agent.start(t, { no_port = true, env = { GRIDCENTRIC_PORT_WAIT = "0.2" } })
			assert.equal(1, (engine.process:wait()))
			assert.matches("/port: No such file", engine.process.stderr)
		end)
	end)

	it("that was closed is looked for again; programs see an end", function()
		agent.run(function(t)
			local engine = agent.boot(t)
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			engine.connection:close()
			assert.is_nil((one:read()))
			engine:accept()
			engine:expect "HELLO"
			engine:identity{}
			agent.connect(t, engine):expect "WELCOME"
		end)
	end)
end)

describe("a port that is a device", function()
	it("carries messages of all lengths both ways", function()
		agent.run(function(t)
			local engine = agent.boot(t, { device = true })
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			for _, length in ipairs{ 0, 1, 5000, 300000 } do
				local text = ("x"):rep(length)
				one:send("TICKET_INFO", 1, text)
				local fields = engine:expect "TICKET_INFO"
				assert.equal(text, fields[2])
				engine:send("DONE", fields[1], 0, text)
				assert.equal(text, one:expect("DONE")[3])
			end
		end)
	end)

	it("that takes nothing any more is given up, and looked for again", function()
		agent.run(function(t)
			local engine = agent.boot(t, { device = true })
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			engine.connection:hold()
			engine.connection:write(wire.encode("COMMAND", 1, ""):rep(80000)) -- 5 MB of answers
			assert.is_nil((one:read()))
			engine.process:errline "the engine has ended: No buffer space available"
		end)
	end)

	it("that has ended is the end of the agent, in time", function()
		agent.run(function(t)
			local engine = agent.boot(t, { device = true, env = { GRIDCENTRIC_PORT_WAIT = "0.2" } })
			engine.connection:close()
			assert.equal(1, (engine.process:wait()))
		end)
	end)
end)
