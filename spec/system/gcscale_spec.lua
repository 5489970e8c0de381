-- limit: 600 s
-- Whole runs: gcscale, or a program that scales itself, with real clients.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("gcscale", function() pending(puppet.missing) end)
end

local chat = paths.examples .. "/chat"

local write, policy_file, start_gcscale = gcscale.write, gcscale.policy_file, gcscale.launch

-- A program that says which domain it is, and does what paths ask of it.
local program = [[
local gc = require "gridcentric"
local uv = require "luv"
local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(os.getenv "PORT")))
local slow
local function answer(client, text)
	client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#text, text))
end
server:listen(128, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err, data)
		if err or not data then return client:is_closing() or client:close() end
		local path = data:match "^%u+ (%S+)"
		if path == "/exit" then os.exit(9) end
		if path == "/spin" then while true do end end
		if path == "/silent" then return end
		if path == "/slow" then -- answers when somebody asks for /go
			slow = client
			return
		end
		if path == "/go" and slow then answer(slow, "slow") end
		answer(client, path == "/headers" and data or tostring(gc.vmid()))
	end)
end)
uv.run()
]]

local function get(t, port, path, jar)
	return t.http { port = port, path = path or "/", jar = jar }
end

local function who(t, port, jar)
	local answer = get(t, port, "/who", jar)
	assert.equal(200, answer.status)
	return json.decode(answer.body).vmid
end

local function status(t)
	local p = t.spawn { paths.gcscale, "status", "--json" }
	assert.equal(0, (p:wait()))
	return json.decode(p.stdout)
end

-- How many users are on each clone, in ascending order.
local function group_sizes(vmids)
	local sizes, list = {}, {}
	for _, vmid in ipairs(vmids) do sizes[vmid] = (sizes[vmid] or 0) + 1 end
	for _, size in pairs(sizes) do list[#list + 1] = size end
	table.sort(list)
	return list
end

-- The chat demo, started one way or the other; both are to behave alike.
local starts = {
	["gcscale"] = function(t)
		local p, port = start_gcscale(t, chat .. "/policy.lua")
		return p, port
	end,
	["the program by itself"] = function(t)
		local port = t.free_port()
		local p = t.spawn { "lua5.4", chat .. "/server.lua", tostring(port) }
		p:errline("listens on")
		return p, port
	end,
}

for name, start in pairs(starts) do
	describe("the chat demo, " .. name, function()
		it("gives five users in a row three clones, two, two and one", function()
			async.run(function(t)
				local p, port = start(t)
				local vmids = {}
				for i = 1, 5 do vmids[i] = who(t, port, {}) end
				assert.same({ 1, 1, 2, 2, 3 }, vmids)
				p:stop()
			end)
		end)

		it("gives five users of the same instant the same clones, and keeps each on his own", function()
			async.run(function(t)
				local p, port = start(t)
				local jars, users = { {}, {}, {}, {}, {} }, {}
				for i, jar in ipairs(jars) do users[i] = function() return who(t, port, jar) end end
				local first = t.all(users)
				assert.same({ 1, 2, 2 }, group_sizes(first))
				for _ = 1, 3 do assert.same(first, t.all(users)) end
				p:stop()
			end)
		end)

		it("keeps users who talk on their clones through long polls", function()
			async.run(function(t)
				local p, port = start(t)
				local jars, ids = { {}, {} }, {}
				for i, jar in ipairs(jars) do
					ids[i] = json.decode(get(t, port, "/join?nick=user" .. i, jar).body).id
				end
				local heard
				t.go(function()
					local answer = get(t, port, ("/recv?id=%s&since=0"):format(ids[2]), jars[2])
					heard = answer.body
				end)
				get(t, port, ("/send?id=%s&text=hello%%20there"):format(ids[1]), jars[1])
				t.wait_until(function() return heard end, nil, "the message")
				assert.equal(1, who(t, port, jars[1]))
				assert.equal(1, who(t, port, jars[2]))
				p:stop()
			end)
		end)
	end)
end

describe("gcscale", function()
	local two_each = [[return {
		app = { script = "program.lua" }, clones = { max = 8 },
		scale = ratio { metric = "sessions", per_clone = 2 },
		cookieless_timeout = 0.3, session_timeout = 0.3,
	}]]

	local two_long = two_each:gsub("_timeout = 0.3", "_timeout = 60")

	it("sets X-Forwarded-For and does not trust the client's", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			local answer = t.http { port = port, path = "/headers",
				headers = { ["X-Forwarded-For"] = "1.2.3.4" } }
			assert.matches("\r\nX%-Forwarded%-For: 127%.0%.0%.1\r\n", answer.body)
			assert.not_matches("1.2.3.4", answer.body, 1, true)
			p:stop()
		end)
	end)

	it("ends clones that nobody needs, and none that somebody uses", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			local kept = t.http_connect { port = port }
			assert.equal("1", kept:request { path = "/" }.body)
			for _ = 1, 4 do get(t, port, "/", {}) end
			p:line("clone 3 ended")
			assert.equal("1", kept:request { path = "/" }.body)
			kept:close()
			p:line("clone 1 ended")
			p:stop()
		end)
	end)

	it("reports a clone that dies with its exit status, and makes another if one is wanted", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			assert.equal("1", get(t, port, "/", {}).body)
			local answer = t.http { port = port, path = "/exit", method = "POST" }
			assert.equal(502, answer.status)
			p:line("clone 1 died.*exit status 9")
			assert.equal("2", get(t, port, "/", {}).body)
			p:stop()
		end)
	end)

	it("tries a request that may be repeated on another clone when its clone is killed", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			local jar = {}
			assert.equal("1", get(t, port, "/", jar).body)
			local state = status(t)[1]
			local pid
			for _, domain in ipairs(state.domains) do
				if domain.vmid == 1 then pid = domain.pid end
			end
			require("luv").kill(pid, "sigkill")
			assert.equal("2", get(t, port, "/", jar).body)
			p:line("clone 1 died.*SIGKILL")
			p:stop()
		end)
	end)

	it("starts the program anew when it is killed, and its clones live on", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_long, program)))
			local jar = {}
			assert.equal("1", get(t, port, "/", jar).body)
			for _, domain in ipairs(status(t)[1].domains) do
				if domain.vmid == 0 then require("luv").kill(domain.pid, "sigkill") end
			end
			p:line("program runs again")
			assert.equal("1", get(t, port, "/", jar).body)
			for _ = 1, 2 do get(t, port, "/", {}) end
			p:line("clone 2 ready")
			p:stop()
		end)
	end)

	it("goes on with a new engine and program when the engine is killed", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			assert.equal("1", get(t, port, "/", {}).body)
			local procfs = require "spec.support.procfs"
			for _, stat in ipairs(procfs.children(p.pid)) do
				require("luv").kill(stat.pid or stat, "sigkill")
			end
			p:line("program runs again")
			assert.equal("1", get(t, port, "/", {}).body)
			p:stop()
		end)
	end)

	it("lets requests under way end when it is told to, and takes no new ones", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			local jar = {}
			get(t, port, "/", jar)
			local address
			for _, domain in ipairs(status(t)[1].domains) do
				if domain.vmid == 1 then _, address = next(domain.endpoints) end
			end
			local slow
			t.go(function() slow = get(t, port, "/slow", jar) end)
			t.wait_until(function()
				return status(t)[1].report.connections == 1
			end, nil, "the slow request")
			p:kill("sigterm")
			p:line("ends when 1 connection has")
			t.wait_until(function()
				local c = t.connect { port = port }
				if c then c:close() end
				return not c
			end, nil, "the listener's end")
			local ip, clone_port = address:match "^(.*):(%d+)$"
			t.http { host = ip, port = tonumber(clone_port), path = "/go" }
			t.wait_until(function() return slow end, nil, "the slow answer")
			assert.equal("slow", slow.body)
			assert.equal(0, (p:wait()))
		end)
	end)

	it("ends at once at a second signal", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			local c = t.connect { port = port }
			c:write("GET /silent HTTP/1.1\r\nHost: x\r\n\r\n")
			p:line("clone 1 ready")
			p:kill("sigint")
			p:line("ends when 1 connection has")
			p:kill("sigint")
			assert.equal(130, (p:wait()))
			c:close()
		end)
	end)

	it("ends in under a second when nobody is connected", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			get(t, port, "/", {})
			p:kill("sigint")
			assert.equal(0, (p:wait()))
		end)
	end)

	it("shows itself in status, tickets and events", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, two_each, program)))
			get(t, port, "/", {})
			local state = status(t)[1]
			assert.equal(2, #state.domains)
			assert.equal(1, state.report.desired)
			local table_ = t.spawn { paths.gcscale, "status" }
			assert.equal(0, (table_:wait()))
			assert.matches("127%.%d+%.0%.1:%d+", table_.stdout)
			t.wait_until(function()
				local events = t.spawn { paths.gcscale, "events", "--json" }
				events:wait()
				for _, event in ipairs(json.decode(events.stdout)) do
					if event.what == "ready" and event.vmid == 1 then return true end
				end
			end, nil, "the event in the ledger")
			local tickets = t.spawn { paths.gcscale, "tickets" }
			assert.equal(0, (tickets:wait()))
			assert.matches("active", tickets.stdout)
			p:stop()
		end)
	end)

	it("relays in tcp mode, by connections", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, [[return {
				app = { script = "program.lua" }, mode = "tcp",
				scale = ratio { metric = "connections", per_clone = 2 }, route = "latest",
				sticky = false,
			}]], program)))
			local seen = {}
			local open = {}
			for i = 1, 5 do
				open[i] = t.connect { port = port }
				open[i]:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				seen[i] = tonumber(open[i]:read_until("\r\n\r\n%d+"):match("%d+$"))
			end
			assert.same({ 1, 1, 2, 2, 3 }, seen)
			for _, c in ipairs(open) do c:close() end
			p:stop()
		end)
	end)

	it("keeps the last plan when the policy fails, and says where", function()
		async.run(function(t)
			local p, port = start_gcscale(t, (policy_file(t, [[return {
				app = { script = "program.lua" }, clones = { min = 1 },
				scale = function(now, sample)
					return sample.sessions == 0 and 1 or sample.nothing.there
				end,
			}]], program)))
			assert.equal(200, get(t, port, "/", {}).status)
			p:line("policy.lua:4")
			assert.equal(200, get(t, port, "/", {}).status)
			p:stop()
		end)
	end)
end)

describe("gcscale, told something wrong,", function()
	-- Its exit status and what it says on stderr.
	local function failing(t, policy, text, ...)
		local file = policy_file(t, policy, text)
		local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:" .. t.free_port(), ... }
		local code = p:wait()
		return code, p.stderr
	end

	local function refuses(what, expected_status, expected_text, policy, text)
		it("refuses " .. what, function()
			async.run(function(t)
				local code, said = failing(t, policy, text)
				assert.equal(expected_status, code)
				assert.matches(expected_text, said)
			end)
		end)
	end

	local good = [[return { app = { script = "program.lua", start_timeout = 1 },
		scale = ratio { metric = "sessions", per_clone = 2 } }]]
	refuses("a program that never listens", 1, "does not listen on port %d+ after 1 s", good,
		[[local uv = require "luv" uv.new_timer():start(60000, 0, function() end) uv.run()]])
	refuses("a program that listens elsewhere, and says where", 1,
		"does not listen on port %d+ after 1 s, but on 127.77.0.7:%d+: .* PORT ", good,
		[[local uv = require "luv" local s = uv.new_tcp() s:bind("127.77.0.7", 0)
		s:listen(1, function() end) uv.run()]])
	refuses("a program that ends at once", 1, "ended before it listened: exit status 3", good,
		[[os.exit(3)]])
	refuses("a program with an error", 1, "exit status 1", good, [[error "no"]])
	refuses("a program that blocks its loop", 1, "does not listen", good, [[while true do end]])
	refuses("a policy with a syntax error", 3, "policy.lua:1: ", "return {{", program)
	refuses("a policy of the wrong type", 3, "clones: max", [[return { clones = { max = "many" },
		app = { script = "program.lua" }, scale = function() end }]], program)
	refuses("a policy that fails before anybody came", 3, "policy.lua:2: .*nothing", [[return {
		app = { script = "program.lua" }, scale = function(now, s) return s.nothing.there end }]],
		program)
	refuses("an unknown key", 3, 'unknown key "clonse" %(did you mean "clones"%?%)',
		[[return { clonse = {} }]], program)
	refuses("a program in place of a policy", 3, "this is a program, not a policy file",
		[[require("luv").run()]])
	refuses("a program that is not there", 3, "program.lua", good)

	it("says where a program listens while it waits", function()
		async.run(function(t)
			local file = policy_file(t, good:gsub("start_timeout = 1", "start_timeout = 60"),
				[[local uv = require "luv" local s = uv.new_tcp() s:bind("127.77.0.7", 0)
				s:listen(1, function() end) uv.run()]])
			local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:" .. t.free_port() }
			p:line("the program listens on 127.77.0.7:%d+, but is expected on port %d+: ")
			p:stop()
		end, { timeout_ms = 40000 })
	end)

	it("refuses a port that another listens on", function()
		async.run(function(t)
			local port = t.listen(function() end)
			local file = policy_file(t, good, program)
			local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:" .. port }
			assert.equal(1, (p:wait()))
			assert.matches("another program listens there", p.stderr)
		end)
	end)

	it("runs twice beside itself on two ports", function()
		async.run(function(t)
			local file = policy_file(t, good, program)
			local p, port = start_gcscale(t, file)
			local q, other = start_gcscale(t, file)
			assert.equal(200, get(t, port, "/", {}).status)
			assert.equal(200, get(t, other, "/", {}).status)
			assert.equal(2, #status(t))
			p:stop()
			q:stop()
		end)
	end)

	it("gives the program's clones up when five in a row die young, and says why", function()
		async.run(function(t)
			local file = policy_file(t, [[return { app = { script = "program.lua" },
				clones = { min = 1 }, scale = function() return 1 end }]],
				program .. "\n")
			local dies = [[
				local gc = require "gridcentric"
				gc.on_clone(function() os.exit(4) end)
			]]
			write(file:gsub("policy.lua$", "program.lua"), dies .. program)
			local p = start_gcscale(t, file)
			p:line("5 clones died young")
			p:stop()
		end, { timeout_ms = 90000 })
	end)

	it("says that a state folder cannot be used", function()
		async.run(function(t)
			local file, dir = policy_file(t, good, program)
			assert(require("luv").fs_symlink(t.tmpdir(), dir .. "/link"))
			local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:" .. t.free_port(),
				env = { GRIDCENTRIC_STATE = dir .. "/link" } }
			assert.equal(1, (p:wait()))
			assert.matches("state folder", p.stderr)
		end)
	end)
end)
