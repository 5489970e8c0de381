-- limit: 900 s
-- The guest API inside virtual machines: a program there clones the machine that it is in. It is
-- told what to do by the spec (spec/scripts/puppet.lua).

local json = require "dkjson"
local paths = require "spec.support.paths"
local vm = require "spec.support.vm"
local uv = require "luv"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

-- What is to be in each puppet: run(file, ...) starts a program and keeps what it says, and its
-- exit status, in kept.program; hex(bytes); text(path); write(path, script).
local TOOLS = [[
	function kept.run(file, ...)
		local program, out, err = { said = "" }, uv.new_pipe(), uv.new_pipe()
		kept.program = program
		kept.process = uv.spawn(file, { args = { ... }, stdio = { nil, out, err } },
			function(status, signal) program.status, program.signal = status, signal end)
		for _, pipe in ipairs { out, err } do
			pipe:read_start(function(_, data) program.said = program.said .. (data or "") end)
		end
	end
	function kept.hex(bytes)
		return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
	end
	function kept.write(path, script)
		local file = assert(io.open(path, "w"))
		file:write("#!/bin/sh\n", script)
		file:close()
		assert(uv.fs_chmod(path, 493))
	end
	function kept.text(path, len)
		local file <close> = assert(io.open(path, "rb"))
		return file:read(len or "a")
	end
]]

local function start(t, ...)
	local m = vm.boot(t, ...)
	local master = m:puppet(0)
	master:eval(TOOLS)
	return m, master
end

-- What the program that kept.run() has started in a puppet's machine has said, once it has ended.
local function output(t, p)
	local function look()
		local program = p:eval "return kept.program"
		return program.status and program
	end
	local program = t.wait_until(look, nil, "the end of the program")
	assert.same({ 0, 0 }, { program.status, program.signal }, program.said)
	return program.said
end

local function has_run(t, p, ...)
	p:eval(("kept.run(table.unpack(%s))"):format("{ " .. ("%q, "):rep(select("#", ...)):format(...)
		.. "}"))
	return output(t, p)
end

local function all_differ(values, what)
	local seen = {}
	for i, value in ipairs(values) do
		assert.is_truthy(value and value ~= "", what)
		assert.is_nil(seen[value], ("%s of %d and %s"):format(what, i, seen[value]))
		seen[value] = i
	end
end

local function vmids(domains)
	local list = {}
	for i, domain in ipairs(domains) do list[i] = domain.vmid end
	table.sort(list)
	return list
end

-- What makes a machine another than its master.
local SELF = [[
	local cards = {}
	for _, name in ipairs { "eth0", "eth1" } do
		local shown <close> = io.popen("ip address show " .. name)
		local text = shown:read "a"
		cards[name] = { mac = text:match "ether (%S+)", ip = text:match "inet ([%d.]+)" }
	end
	return {
		vmid = gc.vmid(), cards = cards, host = uv.os_gethostname(),
		machine = kept.text "/etc/machine-id", hosts = kept.text "/etc/hosts",
		random = kept.random, drawn = kept.drawn, memory = kept.memory,
	}
]]

local CLOCK_LIMIT_MS = 50

local function wall_ms()
	local seconds, microseconds = uv.gettimeofday()
	return seconds * 1000 + microseconds / 1000
end

-- How far a machine's clock is from ours, in ms, at the least: it was read at some time between the
-- question and its answer.
local function clock_error(puppet)
	local before = wall_ms()
	local there = puppet:eval [[
		local seconds, microseconds = uv.gettimeofday()
		return seconds * 1000 + microseconds / 1000
	]]
	return there < before and there - before or math.max(0, there - wall_ms())
end

-- What is drawn first in each, without anything between clone() and it.
local DRAW = [[
	function kept.in_clone()
		kept.random = kept.hex(kept.text("/dev/urandom", 32))
		kept.drawn = kept.hex(uv.random(16))
	end
	kept.memory = kept.hex(uv.random(20000))
]]

-- A connection to the spec's own listener, by way of the machine's gateway.
local CONNECT = [[
	local socket = uv.new_tcp()
	local err = await(function(wake) socket:connect("10.0.2.2", %d, wake) end)
	assert(not err, err)
	kept.socket, kept.heard = socket, ""
	socket:read_start(function(failure, data)
		kept.heard = kept.heard .. (failure or data or "the end")
	end)
]]

describe("a program in a machine #qemu", function()
	it("clones it: all is equal but what makes it another machine", function()
		vm.run(function(t)
			local m, master = start(t, vm.puppet_image(t))
			local heard, connections = "", 0
			local port = t.listen(function(c)
				connections = connections + 1
				while true do
					local data = c:read(60000)
					if not data then return end
					heard = heard .. data
				end
			end)
			master:eval(DRAW)
			master:eval(CONNECT:format(port))
			master:eval "kept.in_clone() os.execute 'date -s 2001-02-03 >/dev/null'"
			assert.is_true(clock_error(master) < -1e9)

			local selves = { master:eval(SELF) }
			for i, clone in ipairs { m:clone(master, 2) } do
				assert.equal(i, clone:eval "return kept.cloned[1]")
				selves[i + 1] = clone:eval(SELF)
			end
			assert.same({ 0, { 1, 2 } }, master:eval [[
				table.sort(kept.cloned[4])
				return { kept.cloned[1], kept.cloned[4] }
			]])
			selves[1] = master:eval(SELF)
			local function of_all(fn)
				local values = {}
				for i, self in ipairs(selves) do values[i] = fn(self) end
				return values
			end
			assert.same({ 0, 1, 2 }, of_all(function(self) return self.vmid end))
			all_differ(of_all(function(self) return self.random end), "/dev/urandom")
			all_differ(of_all(function(self) return self.drawn end), "getrandom()")
			all_differ(of_all(function(self) return self.host end), "the host name")
			all_differ(of_all(function(self) return self.machine end), "the machine id")
			for i, self in ipairs(selves) do
				assert.equal(selves[1].memory, self.memory)
				assert.matches("^%x+\n$", self.machine)
				assert.equal(33, #self.machine)
				assert.same({ mac = selves[1].cards.eth0.mac, ip = "10.0.2.15" }, self.cards.eth0)
				assert.same({ mac = ("52:54:67:63:00:%02x"):format(i), ip = "10.77.0." .. i },
					self.cards.eth1)
				local late_ms = clock_error(m:puppet(i - 1))
				assert.is_true(math.abs(late_ms) <= CLOCK_LIMIT_MS,
					("the clock of %d is wrong by %.1f ms"):format(i - 1, late_ms))
				assert.matches("\n127%.0%.1%.1\t" .. self.host:gsub("%p", "%%%0") .. "\t# gridcentric\n$",
					self.hosts)
			end

			for i = 1, 2 do
				local clone = m:puppet(i)
				assert.equal("ECONNABORTED", clone:eval "return kept.heard")
				assert.is_string(clone:eval "local _, err = kept.socket:try_write 'clone' return err")
			end
			assert.equal("", master:eval "return kept.heard")
			master:eval "kept.socket:write 'master'"
			t.wait_until(function() return heard ~= "" end, nil, "the master's word")
			assert.same({ "master", 1 }, { heard, connections })
			-- clones reach each other, and what is outside
			m:puppet(1):eval(CONNECT:format(port))
			t.wait_until(function() return connections == 2 end, nil, "the clone's connection")
			assert.matches(" 0% packet loss", has_run(t, m:puppet(2), "ping", "-c1", "-W5", "10.77.0.2"),
				1, true)
			assert.equal(0, (m.process:stop()))
		end)
	end)

	it("touches only its own machine, and those that come from it", function()
		vm.run(function(t)
			local m, master = start(t, vm.puppet_image(t))
			local one, two = m:clone(master, 2)
			assert.equal("active", master:eval "return gc.ticket_info(kept.ticket).status")
			assert.same({ 0, 1, 2 }, vmids((master:call "list_domains")))
			assert.same({ ["8001"] = "10.77.0.2:8001" }, master:eval [[
				for _, domain in ipairs(gc.list_domains()) do
					if domain.vmid == 1 then return domain.endpoints end
				end
			]])

			assert.same({ 2 }, vmids((two:call "list_domains")))
			for _, vmid in ipairs { 0, 1, 7, -1 } do
				assert.equal("GC_ENODOMAIN", select(3, two:call("kill", vmid)))
			end
			local ticket = master:eval "return kept.ticket"
			for _, name in ipairs { "ticket_info", "release_ticket", "clone" } do
				local value, _, code = two:call(name, ticket)
				assert.is_truthy(value == nil or value == -1, tostring(value))
				assert.is_truthy(code == "GC_ENOTOWNER" or code == "GC_ENOTICKET", code)
			end
			assert.equal("GC_ENOTICKET", select(3, two:call("ticket_info", "nonsense")))
			assert.equal("GC_EUSED", select(3, master:call("clone", ticket)))

			-- a clone of a clone has what its parent wrote; and so has a clone of that one
			one:eval "kept.mark = 'of one'"
			local three = m:clone(one)
			assert.same({ 3, "of one" }, three:eval "return { gc.vmid(), kept.mark }")
			three:eval "kept.mark = kept.mark .. ', of three'"
			local four = m:clone(three)
			assert.same({ 4, "of one, of three" }, four:eval "return { gc.vmid(), kept.mark }")
			assert.equal("of one", one:eval "return kept.mark")
			assert.is_true(master:eval "return kept.mark == nil")
			assert.same({ 0, 1, 2, 3, 4 }, vmids((master:call "list_domains")))
			assert.same({ 1, 3, 4 }, vmids((one:call "list_domains")))
			assert.same({ 3, 4 }, vmids((three:call "list_domains")))
			assert.same({ 4 }, vmids((four:call "list_domains")))
			assert.equal("GC_ENODOMAIN", select(3, two:call("kill", 4)))
			assert.is_true(one:call("kill", 3))
			assert.same({ 1, 4 }, vmids((one:call "list_domains")))
			assert.equal(4, four:eval "return gc.vmid()")
			assert.is_true(master:call("kill", 4))

			-- tickets are given back, with the machines that were made ahead for them
			local n = #vm.machines(t)
			assert.equal("released", one:eval [[
				local ticket = assert(gc.request_ticket(3, 3, 1, 5000))
				assert(gc.ticket_info(ticket).status == "granted")
				assert(gc.release_ticket(ticket))
				return gc.ticket_info(ticket).status
			]])
			t.wait_until(function() return #vm.machines(t) == n end, nil, "the end of those made ahead")
			assert.equal("GC_EIMPOSSIBLE", select(3, master:call("request_ticket", 100000, 100000, 1, 10)))
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("a second program in a machine #qemu", function()
	it("clones it too: the script of 2011, and one in C", function()
		vm.run(function(t)
			local m, master = start(t, vm.puppet_image(t))
			local vmid = { "lua5.4", "-e", 'io.write(require("gridcentric").vmid())' }
			assert.equal("0", has_run(t, master, table.unpack(vmid)))

			assert.equal("still the master\n", has_run(t, master, "lua5.4", "/app/clone.lua"))
			local one = m:puppet(1)
			assert.equal("clone number 1\n", output(t, one))
			assert.equal("1", has_run(t, one, table.unpack(vmid)))

			master:eval "kept.run '/app/bin/clone-example'"
			local two = t.wait_until(function()
				local domain = m:domains()[2]
				return domain and domain.state == "ready" and m:puppet(2)
			end, nil, "its clone")
			assert.equal("ticket is granted for 1 clones\nclone number 2\n", output(t, two))
			assert.is_true(master:call("kill", 1)) -- it waits until it is alone
			assert.is_true(master:call("kill", 2))
			local said = output(t, master)
			assert.matches("^ticket is granted for 1 clones\nstill the master\ndomain 0 is process ", said)
			assert.matches("\ndomain 2 is process ", said)
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("the hooks in a machine #qemu", function()
	local HOOKS = {
		["pre-clone"] = [[
			echo pre >>/tmp/seen
			[ ! -e /tmp/no ] || { echo not now; exit 3; }
		]],
		["post-clone"] = [[
			echo post $GC_VMID $GC_ADDRESS >>/tmp/seen
			[ ! -e /tmp/not-after ] || { echo too late; exit 4; }
		]],
	}

	it("run around its clones; pre-clone can refuse them", function()
		vm.run(function(t)
			local m, master = start(t, vm.puppet_image(t))
			for name, text in pairs(HOOKS) do
				master:eval(("kept.write(%q, %q)"):format("/etc/gridcentric/" .. name, text))
			end
			local SEEN = 'return kept.text "/tmp/seen"'
			local one = m:clone(master)
			assert.equal("pre\npost 1 10.77.0.2\n", one:eval(SEEN))
			assert.equal("pre\n", master:eval(SEEN))

			local CLONE = [[
				local ticket = assert(gc.request_ticket(1, 1, 1, 5000))
				local vmid, err, code, vmids = gc.clone(ticket)
				return { vmid, err, code, #vmids, gc.ticket_info(ticket).status }
			]]
			master:eval "io.open('/tmp/no', 'w'):close()"
			assert.same({ -1, "GC_EHOOK: pre-clone: exit status 3: not now", "GC_EHOOK", 0 },
				{ table.unpack(master:eval(CLONE), 1, 4) })
			master:eval "os.remove '/tmp/no' io.open('/tmp/not-after', 'w'):close()"
			assert.same({ 0, 1 }, vmids((master:call "list_domains")))
			local two = m:clone(master) -- which lives all the same
			assert.matches("\npost " .. two.vmid .. " 10%.77%.0%.%d+\n$", two:eval(SEEN))
			local failed = {}
			for _, event in ipairs(m:events "hook failed") do
				failed[#failed + 1] = ("%d %s"):format(event.vmid, event.text)
			end
			assert.same({ "0 pre-clone: exit status 3: not now",
				two.vmid .. " post-clone: exit status 4: too late" }, failed)
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("the three lines of 2011, in a machine #qemu", function()
	it("make clones of it, for every two users one", function()
		vm.run(function(t)
			local image = vm.image(t, "chat", { app = paths.examples .. "/chat" })
			local port = t.free_port()
			local p = t.spawn { paths.gcscale, "run-image", image, "--port", "8080", "--accel", "tcg",
				"--memory", "128M", "--forward", "127.0.0.1:" .. port }
			p:line("forwarding 127.0.0.1:" .. port)
			local m, seen, jars = vm.of(t, p, "chat"), {}, {}
			for i = 1, 5 do
				jars[i] = {}
				local answer = t.http { port = port, path = "/who", jar = jars[i] }
				seen[i] = json.decode(answer.body).vmid
			end
			assert.same({ 1, 1, 2, 2, 3 }, seen)
			for i, jar in ipairs(jars) do
				local answer = t.http { port = port, path = "/who", jar = jar }
				assert.equal(seen[i], json.decode(answer.body).vmid)
			end
			p:line "^autoscale: clone 3 ready in %d+ ms at 10.77.0.4:%d+"
			assert.equal(5, m:status().report.sessions)
			-- who dies is replaced; those that it served are served by others
			uv.kill(m:domains()[3].pid, "sigkill")
			p:line("^autoscale: clone 3 died")
			local answer = t.http { port = port, path = "/who", jar = jars[5] }
			assert.is_truthy(({ [1] = true, [2] = true, [4] = true })[json.decode(answer.body).vmid])
			p:line("^autoscale: clone 4 ready")
			assert.equal(0, (p:stop()))
		end)
	end)
end)
