-- The agent of a VM, between the programs there and the engine: who it says it is, whose answer is
-- whose, what it refuses. Its port: agent_port_spec.lua; clones: agent_clone_spec.lua.

local agent = require "spec.support.agent"
local faults = require "spec.support.faults"
local uv = require "luv"
local wire = require "gridcentric.spec_wire"

if agent.missing then
	return it("the agent", function() pending(agent.missing) end)
end

-- An agent, and n programs that were welcomed.
local function boot_with(t, n, identity)
	local engine = agent.boot(t, nil, identity)
	local programs = {}
	for i = 1, n do
		programs[i] = agent.connect(t, engine)
		programs[i]:expect "WELCOME"
	end
	return engine, table.unpack(programs)
end

describe("the agent", function()
	it("says who it is, and READY when it knows who it is to be", function()
		agent.run(function(t)
			local engine = agent.start(t)
			assert.same({ 1, "", 4, engine.process.pid }, engine:expect "HELLO")
			engine:identity{ vmid = 7, host = "seven" }
			assert.same({ 7, 0, "" }, engine:expect "READY")
			assert.equal("seven", engine:inside "hostname")
			engine.process:stop()
			assert.is_nil(uv.fs_stat(engine.socket))
		end)
	end)

	it("does not take a part of the kernel's lists for the whole", function()
		agent.run(function(t)
			local engine = agent.start(t, { env = faults.env("netlink", "done") })
			engine:expect "HELLO"
			engine.process:errline "connections: No buffer space available"
			engine:identity{ host = "eight" }
			assert.same({ 0, -105, "network: No buffer space available" }, engine:expect "READY")
		end)
	end)

	it("lists its network once more where that changes meanwhile", function()
		agent.run(function(t)
			local engine = agent.start(t, { env = faults.env("netlink", "changed:3") })
			engine:expect "HELLO"
			engine:identity{ host = "eight" }
			assert.same({ 0, 0, "" }, engine:expect "READY")
		end)
	end)

	it("lets programs wait until it knows who they are", function()
		agent.run(function(t)
			local engine = agent.start(t)
			engine:expect "HELLO"
			local program = agent.connect(t, engine)
			program:send("LIST", 1)
			engine:identity{ vmid = 3, host = "three" }
			engine:expect "READY"
			assert.equal("LIST", (engine:read()))
			assert.same({ 3, "three" }, program:expect "WELCOME")
		end)
	end)

	it("tells programs of a VM with a network of clones that they may watch", function()
		agent.run(function(t)
			if agent.missing_cards then pending(agent.missing_cards) end
			local engine = agent.boot(t, nil, { cards = agent.cards })
			local program = agent.connect(t, engine)
			program:expect "WATCH"
			program:expect "WELCOME"
		end)
	end)

	it("is told its options' mistakes", function()
		agent.run(function(t)
			local p = t.spawn{ require("spec.support.paths").agent, "--nonsense" }
			assert.equal(2, (p:wait()))
			assert.matches("usage: gridcentric%-agent", p.stderr)
		end)
	end)
end)

describe("operations of programs", function()
	it("with the same numbers at the same time get each its own answer", function()
		agent.run(function(t)
			local engine, one, two = boot_with(t, 2)
			one:send("TICKET_REQUEST", 1, 2, 3, 4, 5)
			local a = engine:expect "TICKET_REQUEST"
			two:send("LIST", 1)
			local b = engine:expect "LIST"
			assert.same({ 2, 3, 4, 5 }, { table.unpack(a, 2) })
			assert.not_equal(a[1], b[1])
			engine:send("DOMAINS", b[1], 0, 11, 1, "host", "80=10.0.0.1:80")
			engine:send("TICKET", a[1], 0, "", "uuid", 1, 2, 3, 4)
			assert.same({ 1, 0, 11, 1, "host", "80=10.0.0.1:80" }, two:expect "DOMAINS")
			assert.same({ 1, 0, "", "uuid", 1, 2, 3, 4 }, one:expect "TICKET")
			-- once answered, a number is nobody's
			engine:send("DONE", a[1], 0, "again")
			one:send("KILL", 1, 9)
			engine:send("DONE", engine:expect("KILL")[1], -3, "no")
			assert.same({ 1, -3, "no" }, one:expect "DONE")
		end)
	end)

	it("go on as they came, of each kind", function()
		agent.run(function(t)
			local engine, one = boot_with(t, 1)
			for name, fields in pairs{ TICKET_INFO = { "uuid" }, TICKET_RELEASE = { "uuid" },
				CLONE = { "uuid", 2, 1, 80, 5 }, LIST = {}, KILL = { 4 }, STOP = { 4, 1000 } } do
				one:send(name, 77, table.unpack(fields))
				assert.same(fields, { table.unpack(engine:expect(name), 2) })
			end
			one:send("METRIC", "users", 5)
			assert.same({ "users", 5 }, engine:expect "METRIC")
		end)
	end)

	it("of one that has ended are answered to nobody", function()
		agent.run(function(t)
			local engine, one, two = boot_with(t, 2)
			one:send("LIST", 1)
			local op = engine:expect("LIST")[1]
			one.connection:close()
			engine:send("DOMAINS", op)
			two:send("LIST", 1)
			engine:send("DOMAINS", engine:expect("LIST")[1])
			assert.same({ 1 }, two:expect "DOMAINS")
		end)
	end)

	it("that are too many are refused", function()
		agent.run(function(t)
			local engine, one, two = boot_with(t, 2)
			local all = {}
			for i = 1, 1025 do all[i] = wire.encode("LIST", i) end
			one.connection:write(table.concat(all))
			assert.same({ 1025, "too many operations of this program are under way" },
				(function(f) return { f[1], f[3] } end)(one:expect "DONE"))
			two:send("LIST", 1)
			for _ = 1, 1025 do engine:expect "LIST" end
			engine:send("DOMAINS", 1)
			one:expect "DOMAINS"
			one:send("LIST", 1026) -- there is room again
			engine:expect "LIST"
		end)
	end)
end)

describe("programs of a VM", function()
	it("that are too many are turned away", function()
		agent.run(function(t)
			local engine, first = boot_with(t, 64)
			local late = agent.connect(t, engine, true)
			assert.matches("too many programs", late:expect("FAULT")[2])
			assert.is_nil((late:read()))
			first.connection:close()
			t.wait_until(function()
				local program = agent.connect(t, engine)
				return program:read() == "WELCOME"
			end, nil, "a free place")
		end)
	end)

	it("that talk nonsense are cut, and only they", function()
		agent.run(function(t)
			local engine, sound = boot_with(t, 1)
			local hello = wire.encode("HELLO", 1, "", 2, 1)
			local cases = { ("\255"):rep(100), wire.encode("LIST", 1), wire.encode("HELLO", 2, "", 2, 1),
				wire.encode("HELLO", 1, "", 0, 1), wire.encode("HELLO", 1, "", 4, 1), hello .. hello }
			for _, name in ipairs{ "READY", "PREPARED", "IDENTITY", "BECOME", "WELCOME", "EXITED" } do
				local fields = {}
				for _, entry in ipairs(wire.types) do
					if entry[1] == name then
						for kind in entry[3]:gmatch "^[is]*" do
							for c in kind:gmatch "." do fields[#fields + 1] = c == "i" and 1 or "x" end
						end
					end
				end
				cases[#cases + 1] = hello .. wire.encode(name, table.unpack(fields))
			end
			for _, bytes in ipairs(cases) do
				local one = agent.connect(t, engine, true)
				one.connection:write(bytes)
				one.connection:read_all()
			end
			sound:send("LIST", 1)
			engine:send("DOMAINS", engine:expect("LIST")[1]) -- nothing else had come
			sound:expect "DOMAINS"
		end)
	end)

	it("that flood wait, and keep nobody from the engine for ever", function()
		agent.run(function(t)
			local engine, loud, quiet = boot_with(t, 2)
			engine.connection:hold()
			local metrics, n = wire.encode("METRIC", ("x"):rep(1000), 1):rep(100), 0
			-- until nothing more is taken of it
			t.go(function()
				for _ = 1, 200 do
					loud.connection:write(metrics)
					n = n + 1
				end
				loud:send("KILL", 1, 1)
			end)
			quiet:send("LIST", 1)
			t.wait_until(function() return n > 2 end, nil, "the flood")
			engine.connection:resume()
			local seen = {}
			repeat
				local name, fields = engine:read()
				seen[name] = (seen[name] or 0) + 1
			until (seen.KILL and seen.LIST) or not fields
			assert.same({ 20000, 1, 1 }, { seen.METRIC, seen.KILL, seen.LIST })
		end)
	end)
end)

describe("long messages of many programs", function()
	it("come to the engine one after the other", function()
		agent.run(function(t)
			local programs = { boot_with(t, 12) }
			local engine = table.remove(programs, 1)
			engine.connection:hold()
			local text = ("x"):rep(1000000)
			for _, program in ipairs(programs) do
				t.go(function() program:send("TICKET_INFO", 1, text) end)
			end
			engine.connection:resume()
			for _ = 1, 12 do assert.equal(#text, #engine:expect("TICKET_INFO")[2]) end
		end)
	end)
end)

describe("who watches", function()
	it("gets what an owner gets: the last that said so", function()
		agent.run(function(t)
			local engine, one, two = boot_with(t, 2)
			one:send "WATCH"
			engine:expect "WATCH"
			engine:send("DOMAIN", 1, 1, 0, 0, "10.77.0.2", 80, "uuid", "")
			assert.equal(1, one:expect("DOMAIN")[1])
			two:send "WATCH"
			engine:expect "WATCH"
			engine:send("DOMAIN_METRIC", 1, "users", 3)
			assert.same({ 1, "users", 3 }, two:expect "DOMAIN_METRIC")
			engine:send("COMMAND", 12, "{}")
			assert.same({ 12, "{}" }, two:expect "COMMAND")
			two:send("ANSWER", 12, 0, "done")
			assert.same({ 12, 0, "done" }, engine:expect "ANSWER")
		end)
	end)

	it("speaks as an owner does; others do not", function()
		agent.run(function(t)
			local engine, one, two = boot_with(t, 2)
			one:send "WATCH"
			engine:expect "WATCH"
			for _, program in ipairs{ two, one } do
				program:send("EVENT", "scale", -1, "text", "{}")
				program:send("REPORT", "{}")
				program:send("BYE", 100)
				program:send("LIST", 1)
				if program == two then engine:expect "LIST" end
			end
			for _, name in ipairs{ "EVENT", "REPORT", "BYE", "LIST" } do engine:expect(name) end
		end)
	end)

	it("is nobody: a command is answered", function()
		agent.run(function(t)
			local engine, one = boot_with(t, 1)
			one:send "WATCH"
			engine:expect "WATCH"
			one.connection:close()
			t.wait_until(function()
				engine:send("COMMAND", 5, "{}")
				local name, fields = engine:read()
				return name == "ANSWER" and fields[1] == 5 and fields[2] < 0
			end, nil, "an answer")
		end)
	end)
end)
