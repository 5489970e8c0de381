-- Who dies and who lives when one of the processes is killed, and what is left.

local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local function run(body) puppet.run(body) end

local function kill(pid) assert(uv.kill(pid, "sigkill")) end

local function wait_dead(t, ...)
	for _, pid in ipairs{ ... } do
		t.wait_until(function() return not procfs.alive(pid) end, nil, ("the death of %d"):format(pid))
	end
end

local function engine_pid(t)
	for _, stat in ipairs(procfs.marked(t.mark)) do
		if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
	end
end

-- A table of the ledger, as it is shown to people.
local function ledger(t, what)
	local p = t.spawn{ paths.engine, "--print", what }
	assert.equal(0, (p:wait()), p.stderr)
	return json.decode(p.stdout)
end

-- vmid -> state and wait status of all rows of one engine.
local function rows(t, pid)
	local found = {}
	for _, row in ipairs(ledger(t, "domains")) do
		if row.engine:match("%-" .. pid .. "$") then found[row.vmid] = row end
	end
	return found
end

local function files(t)
	local names = {}
	for name in uv.fs_scandir_next, (assert(uv.fs_scandir(t.state))) do
		if not name:find("^ledger%.") and name ~= "capacity.lock" then names[#names + 1] = name end
	end
	table.sort(names)
	return names
end

-- Nobody is alive, no file is left, no row says that something lives.
local function nothing_left(t)
	t.wait_until(function()
		for _, stat in ipairs(procfs.marked(t.mark)) do
			if stat.state ~= "Z" then return false end
		end
		return true
	end, nil, "the end of all processes")
	assert.same({}, files(t))
	for _, row in ipairs(ledger(t, "domains")) do
		assert.is_truthy(row.state == "ended" or row.state == "lost", row.state)
	end
	for _, row in ipairs(ledger(t, "tickets")) do
		assert.is_falsy(row.status == "pending" or row.status == "granted" or row.status == "active",
			row.status)
	end
end

describe("inside, when the engine is killed", function()
	it("its clones die also where low descriptors came free after it had begun", function()
		run(function(t)
			local master = t.spawn{ "lua5.4", "-e", [[
				local held = {}
				for i = 1, 12 do held[i] = assert(io.open("/dev/null")) end
				local gc = require "gridcentric"
				local uv = require "luv"
				coroutine.wrap(function()
					gc.list_domains()
					for i = 1, 12 do held[i]:close() end
					for _ = 1, 2 do
						if gc.clone((gc.request_ticket(1, 1, 1, 5000))) > 0 then
							print("clone " .. math.tointeger(uv.os_getpid()))
							io.stdout:flush()
							while true do end
						end
					end
					uv.new_timer():start(60000, 0, function() end)
				end)()
				uv.run()
			]] }
			local one, two = master:line("^clone (%d+)"), master:line("^clone (%d+)")
			kill(engine_pid(t))
			wait_dead(t, math.tointeger(one), math.tointeger(two))
			master:stop()
		end)
	end)

	it("its clones die, the master lives: pending calls fail, the next starts an engine", function()
		run(function(t)
			local master = puppet.start(t, { env = { GRIDCENTRIC_CPUS = "2" } })
			local one = master:clone()
			local two = one:clone()
			local busy = two.pid
			two:send("while true do end")
			master:eval("coroutine.wrap(function() "
				.. "kept.answer = table.pack(gc.request_ticket(1, 1, 1, 60000)) end)()")
			local engine = engine_pid(t)
			t.wait_until(function() return rows(t, engine)[2] end, nil, "the ledger")
			kill(engine)
			wait_dead(t, engine, one.pid, busy)
			t.wait_until(function() return master:eval("return kept.answer") end, nil, "the answer")
			local answer = master:eval("return kept.answer")
			assert.equal("ECONNRESET", answer[3])
			assert.matches("^ECONNRESET: the engine has ended", answer[2])

			local again = master:clone()
			assert.equal(1, again:eval("return gc.vmid()"))
			assert.are_not.equal(engine, engine_pid(t))
			-- what the dead one left has been removed and marked
			assert.same({ "puppet-" .. engine_pid(t) .. ".lock", "puppet-" .. engine_pid(t) .. ".sock" },
				files(t))
			local old = rows(t, engine)
			assert.same({ "lost", "lost", "lost" }, { old[0].state, old[1].state, old[2].state })
			-- no child is left unreaped
			t.wait_until(function()
				for _, stat in ipairs(procfs.children(master.pid)) do
					if stat.state == "Z" then return false end
				end
				return true
			end, nil, "the master to reap its children")
			master.process:stop()
			nothing_left(t)
		end)
	end)

	it("its socket vanishes with the next engine of the folder, whoever starts it", function()
		run(function(t)
			local first = puppet.start(t)
			first:clone()
			local engine = engine_pid(t)
			kill(engine)
			first.process:kill("sigkill")
			first.process:wait()
			wait_dead(t, engine)
			assert.same({ ("puppet-%d.lock"):format(engine), ("puppet-%d.sock"):format(engine) }, files(t))
			local second = puppet.start(t)
			second:clone()
			second.process:stop()
			nothing_left(t)
		end)
	end)
end)

describe("inside, when the master is killed", function()
	it("everything dies", function()
		run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			local three = one:clone()
			two:send("while true do end")
			local engine = engine_pid(t)
			master.process:kill("sigkill")
			assert.equal(9, (select(2, master.process:wait())))
			wait_dead(t, engine, one.pid, two.pid, three.pid)
			nothing_left(t)
		end)
	end)

	it("with its engine, everything dies", function()
		run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local engine = engine_pid(t)
			kill(engine)
			master.process:kill("sigkill")
			master.process:wait()
			wait_dead(t, engine, one.pid)
		end)
	end)
end)

describe("inside, when a clone is killed", function()
	it("it dies alone, and is seen and reaped at once", function()
		run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			local engine = engine_pid(t)
			kill(one.pid)
			master:wait_gone(1)
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.equal(0, master:eval("return gc.vmid()"))
			two:send("os.exit(5)")
			master:wait_gone(2)
			t.wait_until(function() return #procfs.children(master.pid) == 1 end, nil, "the reaping")
			t.wait_until(function() return (rows(t, engine)[2] or {}).status end, nil, "the ledger")
			assert.equal(9, rows(t, engine)[1].status)
			assert.equal(5 << 8, rows(t, engine)[2].status)
			master.process:stop()
			nothing_left(t)
		end)
	end)

	it("its own clones live, and their exit statuses are known", function()
		run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local two, three = one:clone(2)
			local four = three:clone()
			local engine = engine_pid(t)
			kill(one.pid)
			master:wait_gone(1)
			kill(three.pid)
			master:wait_gone(3)
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.equal(4, four:eval("return gc.vmid()"))
			two:send("os.exit(6)")
			four:send("os.exit(7)")
			master:wait_gone(2)
			master:wait_gone(4)
			t.wait_until(function() return (rows(t, engine)[4] or {}).status end, nil, "the ledger")
			assert.equal(6 << 8, rows(t, engine)[2].status)
			assert.equal(7 << 8, rows(t, engine)[4].status)
			assert.equal(1, #procfs.children(master.pid)) -- the engine: all others were reaped
		end)
	end)
end)

describe("inside, what the master leaves behind", function()
	it("does not come back to it as a zombie, also after it had clones of clones", function()
		run(function(t)
			local master = puppet.start(t)
			local two = master:clone():clone()
			kill(two.pid)
			master:wait_gone(two.vmid)
			local file = t.tmpdir() .. "/pid"
			master:eval(("os.execute 'sleep 1000 & echo $! >%s'"):format(file))
			local pid = tonumber(assert(io.open(file)):read("a"))
			local stat = procfs.stat(pid)
			assert.not_equal(master.pid, stat.ppid)
			kill(pid)
			assert.equal(2, #procfs.children(master.pid)) -- the engine and one clone
		end)
	end)
end)

describe("inside, when the master ends normally", function()
	it("clones are asked to end, and those that do not are killed", function()
		run(function(t)
			local folder = t.tmpdir()
			local master = puppet.start(t, { env = { GRIDCENTRIC_GRACE = "0.3" } })
			local one, two = master:clone(2)
			one:eval(([[
				kept.signal = uv.new_signal()
				kept.signal:start("sigterm", function()
					uv.new_timer():start(20, 0, function()
						io.open(%q, "w"):close()
						os.exit(0)
					end)
				end)
			]]):format(folder .. "/one"))
			two:eval(([[
				kept.signal = uv.new_signal()
				kept.signal:start("sigterm", function() io.open(%q, "w"):close() end)
			]]):format(folder .. "/two"))
			master:send("os.exit(4)")
			assert.same({ 4, 0 }, { master.process:wait() })
			wait_dead(t, one.pid, two.pid)
			assert.is_truthy(uv.fs_stat(folder .. "/one"))
			assert.is_truthy(uv.fs_stat(folder .. "/two"))
			nothing_left(t)
		end)
	end)

	it("so do clones that are just being made", function()
		run(function(t)
			local hooks = t.tmpdir()
			io.open(hooks .. "/pre-clone", "w"):write("#!/bin/sh\nexec sleep 60\n"):close()
			uv.fs_chmod(hooks .. "/pre-clone", 448)
			local master = puppet.start(t, { env = { GRIDCENTRIC_HOOKS = hooks } })
			local one = master:call("request_ticket", 4, 4, 1, 0)
			master:send(("gc.clone(%q)"):format(one))
			t.wait_until(function() return #master:call("list_domains") == 5 end)
			master:send(("gc.clone(%q)"):format((master:call("request_ticket", 4, 4, 1, 0))))
			master:send("os.exit(0)")
			assert.equal(0, (master.process:wait()))
			nothing_left(t)
		end)
	end)

	it("nothing else is killed: a child process of the master lives on", function()
		run(function(t)
			local master = puppet.start(t)
			local child = master:eval([[
				return select(2, uv.spawn("sleep", { args = { "60" } }, function() end))
			]])
			local one = master:clone()
			master:send("os.exit(0)")
			master.process:wait()
			wait_dead(t, one.pid)
			assert.is_true(procfs.alive(child))
			kill(child)
			nothing_left(t)
		end)
	end)
end)

-- ---- outside ---------------------------------------------------------------------

-- A controller with its program and n clones.
local function outside(t, n, env)
	local self = { port = t.free_port(), pids = {} }
	self.process = t.spawn{ "lua5.4", paths.scripts .. "/controller.lua", tostring(self.port),
		stdin = true, env = env }
	-- the next that was told of it; those of several domains come in any order
	local told = {}
	function self.ready(vmid)
		local ip, pid
		t.wait_until(function()
			local times = 0
			for line in self.process.stdout:gmatch("[^\n]+") do
				ip, pid = line:match(("^ready %d ([%%d.]+):%%d+ (%%d+)$"):format(vmid))
				if ip then times = times + 1 end
				if times > (told[vmid] or 0) then return true end
			end
		end, nil, ("domain %d in the output of the controller"):format(vmid))
		told[vmid] = (told[vmid] or 0) + 1
		local found = puppet.at(t, ip, self.port)
		found.pid = math.tointeger(tonumber(pid))
		return found
	end
	function self.tell(...) self.process:write(table.concat({ ... }, " ") .. "\n") end
	self.program = self.ready(0)
	self.clones = {}
	if n > 0 then
		self.tell("clone", n)
		for vmid = 1, n do self.clones[vmid] = self.ready(vmid) end
		self.process:line("^cloned .*" .. n .. "$")
	end
	self.engine = engine_pid(t)
	function self.close()
		self.tell("close 1000")
		assert.equal(0, (self.process:wait()), self.process:describe())
		self.process:close_stdin()
	end
	return self
end

describe("outside, when the engine is killed", function()
	it("program and clones die, the controller lives and starts a new engine", function()
		run(function(t)
			local all = outside(t, 2)
			local program, one, two = all.program.pid, all.clones[1].pid, all.clones[2].pid
			all.clones[2]:send("while true do end")
			kill(all.engine)
			wait_dead(t, all.engine, program, one, two)
			all.process:line("^lost ECONNRESET: the engine has ended")
			assert.equal(0, all.ready(0):eval("return gc.vmid()"))
			all.tell("clone 1")
			assert.equal(1, all.ready(1):eval("return gc.vmid()"))
			all.close()
			nothing_left(t)
		end)
	end)
end)

describe("outside, when the controller is killed", function()
	it("everything dies", function()
		run(function(t)
			local all = outside(t, 2)
			all.process:kill("sigkill")
			all.process:wait()
			all.process:close_stdin()
			wait_dead(t, all.engine, all.program.pid, all.clones[1].pid, all.clones[2].pid)
			nothing_left(t)
		end)
	end)
end)

describe("outside, when the program is killed", function()
	it("it dies alone and is started anew; its clones live, their exit statuses are known", function()
		run(function(t)
			local all = outside(t, 2)
			kill(all.program.pid)
			all.process:line("^ended 0 signal 9$")
			local program = all.ready(0)
			assert.are_not.equal(all.program.pid, program.pid)
			assert.equal(0, program:eval("return gc.vmid()"))
			assert.equal(1, all.clones[1]:eval("return gc.vmid()"))
			assert.equal(2, all.clones[2]:eval("return gc.vmid()"))
			all.clones[1]:send("os.exit(8)")
			all.process:line("^ended 1 status 8$")
			kill(all.clones[2].pid)
			all.process:line("^ended 2 signal 9$")
			all.tell("clone 1")
			assert.equal(3, all.ready(3):eval("return gc.vmid()"))
			assert.same({}, (function()
				local zombies = {}
				for _, stat in ipairs(procfs.children(all.engine)) do
					if stat.state == "Z" then zombies[#zombies + 1] = stat.command end
				end
				return zombies
			end)())
			all.close()
			nothing_left(t)
		end)
	end)

	it("at once with a clone, both exit statuses are known", function()
		run(function(t)
			local all = outside(t, 1)
			kill(all.clones[1].pid)
			kill(all.program.pid)
			local text = all.process:line("^ended %d signal 9$") .. all.process:line("^ended %d signal 9$")
			assert.is_truthy(text:find("ended 0", 1, true) and text:find("ended 1", 1, true))
			all.ready(0)
			all.close()
		end)
	end)

	it("while it is cloned, those that ask are told, and it is started anew", function()
		run(function(t)
			local all = outside(t, 0)
			all.program:eval("uv.new_timer():start(0, 0, function() while true do end end)")
			all.tell("clone 2")
			t.wait_until(function()
				return #ledger(t, "tickets") == 1 and ledger(t, "tickets")[1].status == "active"
			end)
			kill(all.program.pid)
			all.process:line("^cloned : GC_EDIED: ")
			assert.equal(0, all.ready(0):eval("return gc.vmid()"))
			all.tell("clone 1")
			all.process:line("^cloned %d+$")
			all.close()
			nothing_left(t)
		end)
	end)
end)

describe("outside, when a clone is killed", function()
	it("it dies alone, also one that has clones", function()
		run(function(t)
			local all = outside(t, 2)
			local three = all.clones[1]:clone()
			kill(all.clones[1].pid)
			all.process:line("^ended 1 signal 9$")
			assert.equal(2, all.clones[2]:eval("return gc.vmid()"))
			assert.equal(3, three:eval("return gc.vmid()"))
			three:send("os.exit(9)")
			t.wait_until(function() return (rows(t, all.engine)[3] or {}).status end, nil, "the ledger")
			assert.equal(9 << 8, rows(t, all.engine)[3].status)
			all.close()
			nothing_left(t)
		end)
	end)
end)

describe("outside, when the controller ends normally", function()
	it("all are asked to end, and those that do not are killed", function()
		run(function(t)
			local all = outside(t, 2, { GRIDCENTRIC_GRACE = "0.3" })
			all.clones[1]:eval("kept.signal = uv.new_signal() kept.signal:start('sigterm', function() end)")
			all.tell("exit")
			assert.equal(0, (all.process:wait()))
			all.process:close_stdin()
			wait_dead(t, all.program.pid, all.clones[1].pid, all.clones[2].pid)
			nothing_left(t)
		end)
	end)

	it("closing waits for the last of them", function()
		run(function(t)
			local all = outside(t, 1)
			all.clones[1]:eval([[
				kept.signal = uv.new_signal()
				kept.signal:start("sigterm", function()
					uv.new_timer():start(100, 0, function() os.exit(0) end)
				end)
			]])
			all.close()
			assert.is_false(procfs.alive(all.clones[1].pid))
			assert.matches("ended 1 status 0\n.*closed\n$", all.process.stdout)
			nothing_left(t)
		end)
	end)
end)
