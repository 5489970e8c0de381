-- limit: 900 s
-- What breaks on virtual machines, and what guests do that are up to no good.

local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
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
	if not keys then s.p:line "clone 1 ready" end
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

	it("that is killed is replaced, and so is the one that clones are made from", function()
		vm.run(function(t)
			local m, s = serve(t)
			kill(m:domains()[1].pid)
			s.p:line "clone 1 died.*SIGKILL"
			s.p:line "clone 2 ready"
			assert.same({ "active", "released" }, ticket_states(t))

			-- that which clones are made from is booted anew; clones live on
			m:puppet(2):eval "kept.mark = 'still here'"
			kill(m:domains()[0].pid)
			s.p:line "program runs again"
			assert.equal("still here", m:puppet(2):eval "return kept.mark")
			kill(m:domains()[2].pid)
			s.p:line "clone 3 ready"
			assert.is_true(m:puppet(3):eval "return kept.mark == nil")
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
			s.p:line "clone 1 died.*channel"
			s.p:line "clone 2 ready"

			-- requests whose answers it does not read
			be_agent(m:puppet(2), [[
				local list = frame(9, ("<i8"):pack(1)):rep(100)
				while true do port:write(list) end
			]])
			s.p:line "clone 2 died.*channel"
			s.p:line "clone 3 ready"

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
				end, nil, "more of the flood")
				assert.equal("ready", m:domains()[3].state)
				assert.equal(2, m:puppet(0):eval "return #gc.list_domains()")
			end
			kill(m:domains()[3].pid)
			s.p:line "clone 4 ready"
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
			s.p:line "clone 1 died"
			s.p:line "did not answer in time"
			kill(domains[0].pid, "sigcont")
			s.p:line "clone %d+ ready"
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)
