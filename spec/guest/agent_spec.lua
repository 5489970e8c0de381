-- The guest API in a VM: a program finds the agent, and sees a clone of the VM as it would see one
-- of its process. The spec plays the agent.

local agent = require "spec.support.agent"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("the guest API in a VM", function() pending(puppet.missing) end)
end

-- A program started by `start` whose agent is this spec, and the agent.
local function play(t, start, vmid, may_watch)
	local socket, waiting = t.tmpdir() .. "/agent", {}
	t.listen(function(c) table.insert(waiting, c) end, socket)
	local program
	t.go(function() program = start{ GRIDCENTRIC_AGENT = socket } end)
	local peer = agent.peer(t, t.wait_until(function() return table.remove(waiting, 1) end, nil,
		"the program at its agent"))
	local version, token, role, pid = table.unpack(peer:expect "HELLO")
	if may_watch then peer:send "WATCH" end
	peer:send("WELCOME", vmid or 0, "host")
	t.wait_until(function() return program end, nil, "the program")
	function peer.accept()
		return agent.peer(t, t.wait_until(function() return table.remove(waiting, 1) end, nil,
			"the program once more"))
	end
	return program, peer, { version, token, role, pid }
end

-- A puppet that has opened its core.
local function start_puppet(t)
	return function(env)
		local p = puppet.start(t, { env = env })
		p:eval "return gc.vmid()"
		return p
	end
end

local function run_lua(t, code)
	return function(env) return t.spawn{ "lua5.4", "-e", code, env = env } end
end

-- An operation in the puppet whose values come into kept[name]; its callback is left open.
local function begin(p, name, call)
	p:eval(("gc.%s function(...) kept.%s = table.pack(...) end)"):format(call, name))
end

local function wait_kept(t, p, name)
	return t.wait_until(function()
		local values = p:eval("return kept." .. name)
		return values
	end, nil, name)
end

describe("a program in a VM", function()
	it("introduces itself, and knows its number from the start", function()
		puppet.run(function(t)
			local p, _, hello = play(t, start_puppet(t), 6)
			assert.same({ 1, "", 2, p.pid }, hello)
			assert.equal(6, p:call "vmid")
			assert.equal("domain", p:eval "return require('gridcentric.platform.async').role()")
		end)
	end)

	it("asks the agent where others ask their engine", function()
		puppet.run(function(t)
			local p, vm = play(t, start_puppet(t))
			begin(p, "ticket", "request_ticket(4, 2, 1, 1000, ")
			local op = vm:expect("TICKET_REQUEST")[1]
			vm:send("TICKET", op, 0, "", "uuid", 1, 2, 2, 1)
			assert.equal("uuid", wait_kept(t, p, "ticket")[1])
			begin(p, "domains", "list_domains(")
			vm:send("DOMAINS", vm:expect("LIST")[1], 0, 5, 1, "h", "80=10.0.0.1:80")
			assert.equal(5, wait_kept(t, p, "domains")[1][1].pid)
			p:eval "gc.metric('users', 2)"
			assert.equal("users", vm:expect("METRIC")[1])
		end)
	end)

	it("gets an error if no agent listens, or none answers", function()
		puppet.run(function(t)
			local code = "print(pcall(require('gridcentric').vmid))"
			local p = run_lua(t, code){ GRIDCENTRIC_AGENT = t.tmpdir() .. "/nowhere" }
			p:wait()
			assert.matches("false\t.*agent: /.*/nowhere: No such file", p.stdout)
			local socket = t.tmpdir() .. "/agent"
			t.listen(function(c) c:close() end, socket)
			p = run_lua(t, code){ GRIDCENTRIC_AGENT = socket }
			p:wait()
			assert.matches("false\t.*agent: the engine has ended", p.stdout)
			socket = t.tmpdir() .. "/agent"
			t.listen(function(c)
				agent.peer(t, c):send("FAULT", -11, "too many programs")
				c:close()
			end, socket)
			p = run_lua(t, code){ GRIDCENTRIC_AGENT = socket }
			p:wait()
			assert.matches("false\t.*EAGAIN: agent: too many programs", p.stdout)
		end)
	end)

	it("that loses its agent gets an event, and finds it again", function()
		puppet.run(function(t)
			local p, vm = play(t, start_puppet(t))
			begin(p, "lost", "list_domains(")
			vm:expect "LIST"
			vm.connection:close()
			assert.equal("ECONNRESET", wait_kept(t, p, "lost")[3])
			begin(p, "found", "list_domains(")
			vm = vm.accept()
			vm:expect "HELLO"
			vm:send("WELCOME", 0, "host")
			vm:send("DOMAINS", vm:expect("LIST")[1])
			wait_kept(t, p, "found")
		end)
	end)

	it("written in C also finds the agent", function()
		puppet.run(function(t)
			local example = paths.build .. "/bin/clone-example"
			if not uv.fs_stat(example) then pending "needs examples/clone.c" end
			local p, vm = play(t, function(env) return t.spawn{ example, env = env } end)
			vm:send("TICKET", vm:expect("TICKET_REQUEST")[1], 0, "", "uuid", 1, 2, 2, 1)
			vm:send("TICKET", vm:expect("TICKET_INFO")[1], 0, "", "uuid", 1, 2, 2, 1)
			local op = vm:expect("CLONE")[1]
			vm:send("BECOME", 3, op, "10.77.0.4")
			assert.equal(0, (p:wait()), p:describe())
			assert.matches("3", p.stdout)
		end)
	end)
end)

describe("in a clone of the VM", function()
	it("clone() of the one who asked ends with its number, everything else with ECANCELED", function()
		puppet.run(function(t)
			local p, vm = play(t, start_puppet(t))
			p:eval "gc.on_clone(function(vmid) kept.first = { vmid, kept.cloned } end)"
			begin(p, "listed", "list_domains(")
			local listed = vm:expect("LIST")[1]
			begin(p, "cloned", "clone('uuid', ")
			local fields = vm:expect "CLONE"
			assert.equal(2, #fields) -- listeners are nobody's affair here
			vm:send("BECOME", 2, fields[1], "10.77.0.3")
			assert.same({ 2 }, wait_kept(t, p, "cloned"))
			assert.same({ 2 }, p:eval "return kept.first") -- before any other callback
			assert.equal("ECANCELED", wait_kept(t, p, "listed")[3])
			vm:send("DOMAINS", listed)
			assert.equal(2, p:call "vmid")
			assert.equal("10.77.0.3", p:eval "return require('gridcentric.platform.async').core():address()")
			-- it goes on as a master of its own
			begin(p, "again", "clone('uuid', ")
			local op = vm:expect("CLONE")[1]
			vm:send("CLONED", op, 0, "", 3, 4)
			assert.same({ 3, 4 }, wait_kept(t, p, "again")[4])
		end)
	end)

	it("on_clone() runs if somebody else asked for it", function()
		puppet.run(function(t)
			local p, vm = play(t, start_puppet(t))
			p:eval "gc.on_clone(function(vmid) kept.vmid = vmid end)"
			vm:send("BECOME", 4, 0, "10.77.0.5")
			assert.equal(4, t.wait_until(function() return p:eval "return kept.vmid" end))
			vm:send("BECOME", 5, 0, "10.77.0.6")
			t.wait_until(function() return p:eval "return kept.vmid" == 5 end)
		end)
	end)

	it("the proxy is closed, and metrics are its own", function()
		puppet.run(function(t)
			local p, vm = play(t, start_puppet(t))
			local port = p:eval [[
				local core = require "gridcentric.core"
				kept.proxy = core.new_proxy(require("gridcentric.platform.async").core(), { mode = "tcp" })
				assert(kept.proxy:listen("127.0.0.1", 0))
				gc.metric("users", 1)
				return select(2, kept.proxy:address())
			]]
			vm:expect "METRIC"
			assert(t.connect{ port = port }):close()
			vm:send("BECOME", 1, 0, "")
			t.wait_until(function() return p:call "vmid" == 1 end)
			assert.is_nil((t.connect{ port = port }))
			p:eval "kept.proxy:close() gc.metric('queue', 7)"
			assert.equal("queue", vm:expect("METRIC")[1])
		end)
	end)
end)

describe("a program that scales its VM", function()
	local watching = [[
		local async = require "gridcentric.platform.async"
		local platform = require "gridcentric.platform"
		print(async.role())
		local p = platform.inside{ port = 8001 }
		p:subscribe(function(vmid, state) print("domain", vmid, state) end)
		p:on_metric(function(vmid, name, value) print("metric", vmid, name, value) end)
		p:on_command(function(command, reply) reply(true, command.what) end)
		p:clone(1, function(vmids, err, code) print("cloned", #vmids, code) end)
		require("gridcentric").on_clone(function(vmid)
			print("clone", vmid)
			os.exit(0, true)
		end)
		local stdin = require("luv").new_timer()
		stdin:start(60000, 0, print)
		require("luv").run()
	]]

	local function start(t)
		local p, vm = play(t, run_lua(t, "io.stdout:setvbuf 'line' " .. watching), 0, true)
		vm:expect "WATCH"
		vm:send("TICKET", vm:expect("TICKET_REQUEST")[1], 0, "", "uuid", 1, 1, 1, 1)
		return p, vm, vm:expect("CLONE")[1]
	end

	it("gets the events of its clones, and commands", function()
		puppet.run(function(t)
			local p, vm, op = start(t)
			p:line "^inside$"
			vm:send("DOMAIN", 1, 0, 0, 0, "", 0, "uuid", "")
			vm:send("DOMAIN", 1, 1, 0, 0, "10.77.0.2", 8001, "uuid", "")
			vm:send("CLONED", op, 0, "", 1)
			p:line "^domain\t1\tstarting"
			p:line "^domain\t1\tready"
			p:line "^cloned\t1\tnil"
			vm:send("DOMAIN_METRIC", 1, "users", 0)
			p:line "^metric\t1\tusers"
			vm:send("COMMAND", 9, '{"what":"pause"}')
			assert.same({ 9, 0, "pause" }, vm:expect "ANSWER")
			p:kill "sigkill"
			p:wait()
		end)
	end)

	it("sends BYE at its end, but not in a clone, nor if it does not scale the VM", function()
		puppet.run(function(t)
			local _, vm = play(t, run_lua(t, [[
				require("gridcentric.platform").inside{ port = 1 }
				os.exit(0, true)]]))
			vm:expect "WATCH"
			assert.is_true(vm:expect("BYE")[1] > 0)
			_, vm = play(t, run_lua(t, "require('gridcentric').vmid() os.exit(0, true)"))
			assert.is_nil((vm:read()))
			local p, cloned, op = start(t)
			cloned:send("BECOME", 1, op, "")
			p:line "^clone\t1"
			assert.is_nil((cloned:read()))
		end)
	end)

	it("by autoscale.setup does so in the master only", function()
		puppet.run(function(t)
			local code = [[
				require("gridcentric.autoscale").setup(0, 8001)
				require("luv").new_timer():start(60000, 0, print)
				require("luv").run()]]
			local p, vm = play(t, run_lua(t, code), 0, true)
			vm:expect "WATCH"
			p:errline "autoscale: listens on"
			repeat
				local name = assert(vm:read())
			until name == "LIST"
			p:kill "sigkill"
			p:wait()
			p = play(t, run_lua(t, code), 3, true)
			p:errline "gcscale scales this program"
			p:kill "sigkill"
			p:wait()
		end)
	end)
end)
