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

describe("programs, while the port is closed", function()
	it("wait, and are answered when it is open again", function()
		agent.run(function(t)
			local engine = agent.boot(t)
			engine.connection:close()
			engine.process:errline "the engine has ended"
			local one = agent.connect(t, engine)
			one:send("TICKET_REQUEST", 7, 1, 1, 1, 1000)
			engine:accept()
			engine:expect "HELLO"
			engine:identity{}
			local request = engine:expect "TICKET_REQUEST"
			one:expect "WELCOME"
			engine:send("TICKET", request[1], -4001, "no resources", "", 0, 0, 0, 0)
			assert.same({ 7, -4001 }, { table.unpack(one:expect "TICKET", 1, 2) })
		end)
	end)

	it("see an end when it stays closed", function()
		agent.run(function(t)
			local engine = agent.boot(t, { env = { GRIDCENTRIC_PORT_WAIT = "0.5" }, once = true })
			engine.connection:close()
			engine.process:errline "the engine has ended"
			assert(os.remove(engine.port))
			local one = agent.connect(t, engine)
			one:send("TICKET_REQUEST", 7, 1, 1, 1, 1000)
			assert.is_nil((one:read()))
			assert.equal(1, (engine.process:wait()))
		end)
	end)

	it("wait also in a clone that becomes one meanwhile", function()
		if agent.missing_root then return pending(agent.missing_root) end
		agent.run(function(t)
			local engine = agent.boot(t)
			agent.hook(engine, "post-clone", ("while ! [ -e '%s/go' ]; do sleep 0.01; done")
				:format(engine.dir))
			local one = agent.connect(t, engine)
			one:expect "WELCOME"
			engine:send("PREPARE", 1)
			engine:expect "PREPARED"
			engine:identity{ snapshot = 1, vmid = 2, random = ("r"):rep(64) }
			one:expect "BECOME"
			engine.connection:close()
			engine.process:errline "the engine has ended"
			assert.is_nil((one:read()))
			local late = agent.connect(t, engine)
			late:send("LIST", 1)
			io.open(engine.dir .. "/go", "w"):close()
			engine:accept()
			engine:expect "HELLO"
			engine:identity{ vmid = 2 }
			assert.same({ 2, 0, "" }, engine:expect "READY")
			engine:send("DOMAINS", engine:expect("LIST")[1])
			late:expect "WELCOME"
			assert.same({ 1 }, late:expect "DOMAINS")
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
