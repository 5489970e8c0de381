-- limit: 900 s
-- What breaks on virtual machines, and what guests do that are up to no good.

local files = require "gridcentric.image.files"
local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local uv = require "luv"
local vm = require "spec.support.vm"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

local function kill(pid, signal) assert(uv.kill(pid, signal or "sigkill")) end

local function wait_dead(t, pid)
	t.wait_until(function() return not procfs.alive(pid) end, nil, ("the death of %d"):format(pid))
end

-- A service of puppets that keeps one clone, which has come up.
local function serve(t, keys, env)
	local s = gcscale.start(t, ("return { %s %s }"):format(
		vm.POLICY:format(vm.puppet_image(t)), keys or "clones = { min = 1 }"), nil, { env = env })
	local m = vm.of(t, s.p, s.name)
	if not keys then s.p:line("clone 1 ready", 20000) end
	return m, s
end

local function ticket_states(t)
	local p, found = t.spawn { paths.engine, "--print", "tickets" }, {}
	assert(p:wait() == 0, p:describe())
	for _, ticket in ipairs(json.decode(p.stdout)) do found[#found + 1] = ticket.status end
	table.sort(found)
	return found
end

local function text_of(path)
	local file <close> = assert(io.open(path))
	return (file:read "a")
end

-- Has a shell in the puppet's machine, which may not come back from it.
local function shell(puppet, script)
	puppet:eval(([[
		kept.process = uv.spawn("sh", { args = { "-c", %q } }, print)
	]]):format(script))
end

-- Has a Lua program take the place of the agent, with its port as `port`, what(code) as its frames.
local FRAMES = [[
	local port
	repeat port = io.open("/dev/vport0p1", "r+b") until port -- it can be opened by one only
	port:setvbuf "no"
	local function frame(type, fields) return ("<I4BBB"):pack(#fields + 3, 1, type, 0) .. fields end
]]
local function be_agent(puppet, code)
	puppet:eval(([[
		local file = assert(io.open("/tmp/agent.lua", "w"))
		file:write(%q)
		file:close()
	]]):format(FRAMES .. code))
	shell(puppet, [[
		agent=$(pidof gridcentric-agent)
		# its end would be that of the machine
		kill -STOP $(sed -n 's/^PPid:\t//p' /proc/$agent/status)
		kill -KILL $agent
		exec lua5.4 /tmp/agent.lua
	]])
end

describe("a machine #qemu", function()
	it("is held in by another user, a sandbox, and no way to more rights", function()
		vm.run(function(t)
			local m, s = serve(t)
			local machines = vm.machines(t)
			assert.is_true(#machines >= 2)
			for _, machine in ipairs(machines) do
				local status = t.wait_until(function() -- one that is made ahead may just begin
					local text = text_of(("/proc/%d/status"):format(machine.pid))
					return text:find("\nSeccomp:\t2\n", 1, true) and text
				end, nil, "its sandbox")
				if uv.getuid() == 0 then
					local nobody = tonumber(text_of "/etc/passwd":match "\nnobody:[^:]*:(%d+):")
					assert.matches(("\nUid:\t%d\t%d\t%d\t%d\n"):format(nobody, nobody, nobody, nobody), status)
					assert.not_matches("\nGid:[^\n]*\t0\t", status)
					assert.matches("\nGroups:%s*\n", status)
				end
				for _, set in ipairs { "Inh", "Prm", "Eff", "Amb" } do
					assert.matches("\nCap" .. set .. ":\t0+\n", status)
				end
				assert.matches("\nNoNewPrivs:\t1\n", status)
				assert.matches(" -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,",
					machine.command, 1, true)
				assert.matches(" -device vmgenid,guid=auto ", machine.command, 1, true)
				-- of files that have names it has its libraries only, and null; none can be cut off
				for number, target in pairs(procfs.descriptors(machine.pid)) do
					local has_name = target:find "^/" and not target:find "^/memfd:"
					assert.is_truthy(not has_name or target == "/dev/null" or target == paths.preload, target)
					if target:find "^/memfd:" then
						local path = ("/proc/%d/fd/%s"):format(machine.pid, number)
						local fd = assert(uv.fs_open(path, "r+", 0))
						local cut, err, code = uv.fs_ftruncate(fd, 0)
						uv.fs_close(fd)
						assert.same({ nil, "EPERM" }, { cut, code }, target .. (err or ""))
					end
				end
			end
			assert.equal(0, (m.process:stop()))
			assert.equal("", s.p.stderr)
		end)
	end)

	it("that dies is replaced: killed from outside, or by its own kernel's panic", function()
		vm.run(function(t)
			local m, s = serve(t)
			kill(m:domains()[1].pid)
			s.p:line "clone 1 died.*SIGKILL"
			s.p:line("clone 2 ready", 20000)
			assert.same({ "active", "released" }, ticket_states(t))
			shell(m:puppet(2), "echo c >/proc/sysrq-trigger")
			s.p:line("clone 2 died", 20000)
			s.p:line("clone 3 ready", 20000)
			assert.equal(3, m:puppet(3):eval "return gc.vmid()")
			assert.same({ "active", "released", "released" }, ticket_states(t))

			-- that which clones are made from is booted anew; clones live on
			m:puppet(3):eval "kept.mark = 'still here'"
			kill(m:domains()[0].pid)
			s.p:line("program runs again", 30000)
			assert.equal("still here", m:puppet(3):eval "return kept.mark")
			kill(m:domains()[3].pid)
			s.p:line("clone 4 ready", 20000)
			assert.is_true(m:puppet(4):eval "return kept.mark == nil")
			assert.equal(0, (m.process:stop()))
		end)
	end)

	it("harms nobody but itself by what it tells the engine", function()
		vm.run(function(t)
			local m, s = serve(t)
			be_agent(m:puppet(1), [[
				local random = assert(io.open("/dev/urandom", "rb"))
				while true do port:write(random:read(4096)) end
			]])
			s.p:line("clone 1 died.*channel", 20000)
			s.p:line("clone 2 ready", 20000)

			-- requests whose answers it does not read
			be_agent(m:puppet(2), [[
				local list = frame(9, ("<i8"):pack(1)):rep(100)
				while true do port:write(list) end
			]])
			s.p:line("clone 2 died.*channel", 20000)
			s.p:line("clone 3 ready", 20000)

			-- news without end: nobody has to wait for that
			be_agent(m:puppet(3), [[
				local metric = frame(27, ("<s4i8"):pack("flood", 0)):rep(100)
				local n = 0
				while port:write(metric) do
					n = n + 1
					local count <close> = assert(io.open("/tmp/count", "w"))
					count:write(n)
				end
			]])
			local clone, sent = m:puppet(3), 0
			for _ = 1, 5 do
				sent = t.wait_until(function()
					local n = clone:eval [[
						local file = io.open "/tmp/count"
						return file and file:read "n" or 0
					]]
					return n > sent and n
				end, 20000, "more of the flood")
				assert.equal("ready", m:domains()[3].state)
				assert.equal(2, m:puppet(0):eval "return #gc.list_domains()")
			end
			kill(m:domains()[3].pid)
			s.p:line("clone 4 ready", 20000)
			assert.equal(0, (m.process:stop()))
			assert.equal("", s.p.stderr)
		end)
	end)
end)

describe("a machine that stands still #qemu", function()
	it("is no clone, within the time for one", function()
		vm.run(function(t)
			local m = vm.boot(t, vm.puppet_image(t), { env = { GRIDCENTRIC_CLONE_TIMEOUT = "2" } })
			local master = m:puppet(0)
			master:eval "kept.ticket = assert(gc.request_ticket(1, 1, 1, 5000))"
			local waiting = t.wait_until(function()
				for _, machine in ipairs(vm.machines(t)) do
					if machine.command:find(" -incoming ", 1, true) then return machine.pid end
				end
			end, nil, "the machine made ahead")
			kill(waiting, "sigstop")
			local answer = master:eval "return table.pack(gc.clone(kept.ticket))"
			assert.same({ -1, "GC_ENOTREADY" }, { answer[1], answer[3] })
			assert.matches("not ready after 2000 ms: the virtual machine did not come up$", answer[2])
			wait_dead(t, waiting)
			assert.equal(2, m:clone(master):eval "return kept.cloned[1]")
			assert.equal(0, (m.process:stop()))
		end)
	end)

	it("cannot be cloned, and can again when it goes on", function()
		vm.run(function(t)
			local m, s = serve(t, nil, { GRIDCENTRIC_PREPARE_TIMEOUT = "2" })
			local domains = m:domains()
			kill(domains[0].pid, "sigstop")
			kill(domains[1].pid)
			s.p:line("clone 1 died", 10000)
			s.p:line("did not answer in time", 30000)
			kill(domains[0].pid, "sigcont")
			s.p:line("clone %d+ ready", 60000)
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("the storage for memory #qemu", function()
	it("may be full: no clone then, and no harm", function()
		local why = parts.needs_mounts()
		if why then return pending(why) end
		vm.run(function(t)
			local folder = t.tmpdir()
			local m = vm.boot(t, vm.puppet_image(t), {
				env = { GRIDCENTRIC_RAM_DIR = folder },
				wrap = { "unshare", "-m", "sh", "-c",
					'mount -t tmpfs -o size=170M tmpfs "$GRIDCENTRIC_RAM_DIR" && exec "$@"', "sh" },
			})
			local master = m:puppet(0)
			local CLONE = [[
				local ticket = assert(gc.request_ticket(1, 1, 1, 5000))
				return table.pack(gc.clone(ticket))
			]]
			for _ = 1, 2 do
				local answer = master:eval(CLONE, 20000)
				assert.same({ -1, "ENOSPC" }, { answer[1], answer[3] })
			end
			assert.is_nil(m:domains()[1] or m:domains()[2])
			local p = t.spawn { "nsenter", "-t", tostring(m.process.pid), "-m", "mount", "-o",
				"remount,size=400M", folder }
			assert.equal(0, p:wait(), p:describe())
			m:clone(master)
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("an image #qemu", function()
	it("that is none is told so", function()
		vm.run(function(t)
			local folder = t.tmpdir()
			local image = files.read(vm.puppet_image(t))
			files.write(folder .. "/text.img", "this is no image, and a long text it is not either")
			files.write(folder .. "/zeros.img", ("\0"):rep(100000))
			files.write(folder .. "/short.img", image:sub(1, #image // 3))
			files.write(folder .. "/qcow.img", "QFI\xfb" .. ("\0"):rep(1000))
			for name, wanted in pairs {
				["text.img"] = "not an image that boots", ["zeros.img"] = "not an image that boots",
				["short.img"] = "short.img", ["missing.img"] = "no such file", ["."] = "",
				["qcow.img"] = "qcow.img",
			} do
				local path = folder .. "/" .. name
				local p = t.spawn { paths.gcscale, "run-image", path, "--accel", "tcg" }
				assert.equal(1, p:wait(20000), p:describe())
				assert.matches("^gcscale: [^\n]*\n$", p.stderr, nil, p:describe())
				assert.matches(wanted, p.stderr:lower(), 1, true)
				p = t.spawn { paths.gcscale, (gcscale.policy_file(t,
					("return { %s }"):format(vm.POLICY:format(path)))) }
				assert.is_true(p:wait(20000) > 0, p:describe())
				assert.matches(wanted, p.stderr:lower(), 1, true)
			end
		end)
	end)

	it("whose program ends at once shows how", function()
		vm.run(function(t)
			local image = vm.image(t, "brief", {
				files = { ["puppet.lua"] = paths.scripts .. "/puppet.lua" },
				program = "sh -c 'echo I have to go; exit 7'",
			})
			local p = t.spawn { paths.gcscale, "run-image", image, "--accel", "tcg", "--memory", "128M" }
			assert.not_equal(0, (p:wait(60000)))
			assert.matches("I have to go", p.stdout)
			assert.matches("exit status 7", p.stderr)
			p = t.spawn { paths.gcscale, (gcscale.policy_file(t,
				("return { %s }"):format(vm.POLICY:format(image)))), "--listen", "127.0.0.1:0" }
			assert.equal(1, (p:wait(60000)))
			assert.matches("the program cannot be started: .*exit status 7", p.stderr)
			assert.matches("\nI have to go\n", p.stderr)
		end)
	end)
end)

describe("nothing is left #qemu", function()
	local function engine_of(t)
		for _, stat in ipairs(procfs.marked(t.mark)) do
			if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
		end
	end

	it("of machines when the engine is killed, and gcscale has another one boot", function()
		vm.run(function(t)
			local m, s = serve(t)
			local old = vm.machines(t)
			assert.is_true(#old >= 2)
			kill(engine_of(t))
			for _, machine in ipairs(old) do wait_dead(t, machine.pid) end
			s.p:line("program runs again", 30000)
			s.p:line("clone %d+ ready", 20000)
			-- and when gcscale is
			m.process:kill "sigkill"
			m.process:wait()
			t.wait_until(function() return #procfs.marked(t.mark) == 0 end, nil, "the end of all")
		end)
	end)

	it("of machines when both are killed", function()
		vm.run(function(t)
			local m = serve(t)
			kill(engine_of(t))
			m.process:kill "sigkill"
			m.process:wait()
			t.wait_until(function() return #procfs.marked(t.mark) == 0 end, nil, "the end of all")
			local left = vm.files(t)
			serve(t).process:stop() -- whose engine clears away what others left
			for _, path in ipairs(left) do
				assert.is_true(path:find("^/dev/shm/") ~= nil or not uv.fs_stat(path), path)
			end
		end)
	end)
end)
