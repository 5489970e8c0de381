-- pre-clone and post-clone in a whole run: what they are given, what they decide, and
-- that no event loop disturbs them. (hooks_spec.lua looks at the module alone.)

local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local function write(path, text, mode)
	local file = assert(io.open(path, "w"))
	file:write(text)
	file:close()
	uv.fs_chmod(path, mode or 448)
end

local function read(path)
	local file = io.open(path)
	if not file then return nil end
	local text = file:read("a")
	file:close()
	return text
end

-- A master whose hooks have these texts; GRIDCENTRIC_HOOKS is `folder`.
local function start(t, hooks, env)
	local folder = t.tmpdir()
	for name, text in pairs(hooks) do write(folder .. "/" .. name, "#!/bin/sh\n" .. text) end
	env = env or {}
	env.GRIDCENTRIC_HOOKS = folder
	return puppet.start(t, { env = env }), folder
end

local function clone(master, n)
	local ticket = assert(master:call("request_ticket", n, n, 1, 0))
	return ticket, { master:call("clone", ticket) }
end

-- The events about hooks, once there are n.
local function hook_events(t, n)
	return t.wait_until(function()
		local found = {}
		local p = t.spawn{ paths.engine, "--print", "events" }
		assert.equal(0, (p:wait()), p.stderr)
		for _, event in ipairs(json.decode(p.stdout)) do
			if event.what:find("^hook") then found[#found + 1] = event end
		end
		return #found >= n and found
	end, nil, n .. " events about hooks")
end

describe("hooks", function()
	it("are given number, ticket and address, nothing on their input, and run in order", function()
		puppet.run(function(t)
			local log = t.tmpdir() .. "/log"
			local body = ([[
				echo "$(basename $0) $GC_VMID $GC_TICKET $GC_ADDRESS input:$(cat)" >>%s
				[ $(basename $0) = post-clone ] && kill -0 $(cat %s.pid) && echo alive >>%s
				true
			]]):format(log, log, log)
			local master = start(t, { ["pre-clone"] = body, ["post-clone"] = body })
			master:eval(([[
				gc.on_clone(function()
					local file = io.open(%q, "w")
					file:write(uv.os_getpid())
					file:close()
				end)
			]]):format(log .. ".pid"))
			-- post-clone can run before on_clone: READY comes first
			write(log .. ".pid", tostring(master.pid))
			local ticket, answer = clone(master, 1)
			assert.same({ 0, { 1 } }, { answer[1], answer[4] })
			local address = master:domains()[1].endpoints[tostring(master.port)]:match("^[^:]*")
			assert.equal(("pre-clone 1 %s %s input:\npost-clone 1 %s %s input:\nalive\n"):format(
				ticket, address, ticket, address), read(log))
		end)
	end)

	it("have their output in the ledger's events", function()
		puppet.run(function(t)
			local master = start(t, {
				["pre-clone"] = "echo room for $GC_VMID",
				["post-clone"] = "echo told of $GC_VMID >&2",
			})
			local _, answer = clone(master, 2)
			assert.equal(0, answer[1])
			local texts = {}
			for _, event in ipairs(hook_events(t, 4)) do
				assert.equal("hook", event.what)
				texts[#texts + 1] = event.vmid .. " " .. event.text
			end
			table.sort(texts)
			assert.same({ "1 room for 1", "1 told of 1", "2 room for 2", "2 told of 2" }, texts)
		end)
	end)

	it("need not exist", function()
		puppet.run(function(t)
			local master = puppet.start(t, { env = { GRIDCENTRIC_HOOKS = t.tmpdir() .. "/none" } })
			local _, answer = clone(master, 1)
			assert.equal(0, answer[1])
		end)
	end)
end)

describe("pre-clone", function()
	it("that fails aborts its clone, and its share is given back", function()
		puppet.run(function(t)
			local master = start(t, { ["pre-clone"] = "echo thinking; echo no room left; exit 3" },
				{ GRIDCENTRIC_CPUS = "2" })
			local _, answer = clone(master, 2)
			assert.same({ -1, "GC_EHOOK: pre-clone: exit status 3: no room left", "GC_EHOOK", {} }, answer)
			assert.equal(1, #master:call("list_domains"))
			assert.equal(1, #procfs.children(master.pid)) -- the engine: none was forked
			assert.is_truthy(master:call("request_ticket", 2, 2, 1, 0))
			local event = hook_events(t, 2)[1]
			assert.equal("hook failed", event.what)
			assert.equal("pre-clone: exit status 3: no room left", event.text)
		end)
	end)

	it("that is killed by a signal aborts its clone", function()
		puppet.run(function(t)
			local master = start(t, { ["pre-clone"] = "kill -KILL $$" })
			local _, answer = clone(master, 1)
			assert.same({ -1, "GC_EHOOK: pre-clone: killed by SIGKILL", "GC_EHOOK", {} }, answer)
		end)
	end)

	it("that hangs is killed with its children when its time is over", function()
		puppet.run(function(t)
			local pids = t.tmpdir() .. "/pids"
			local master = start(t, { ["pre-clone"] = ("sleep 60 & echo $! $$ >%s; wait"):format(pids) },
				{ GRIDCENTRIC_HOOK_TIMEOUT = "0.2" })
			local _, answer = clone(master, 1)
			assert.same({ -1, "GC_EHOOK: pre-clone: killed after 0.2 s", "GC_EHOOK", {} }, answer)
			for pid in read(pids):gmatch("%d+") do
				t.wait_until(function() return not procfs.alive(tonumber(pid)) end)
			end
		end)
	end)

	it("that is not executable aborts its clone with a text that says so", function()
		puppet.run(function(t)
			local master, folder = start(t, { ["pre-clone"] = "exit 0" })
			uv.fs_chmod(folder .. "/pre-clone", 384)
			local _, answer = clone(master, 1)
			assert.same({ -1, "GC_EHOOK: pre-clone: not executable", "GC_EHOOK", {} }, answer)
		end)
	end)

	it("that is no program aborts its clone", function()
		puppet.run(function(t)
			local master, folder = start(t, {})
			write(folder .. "/pre-clone", "\127NONSENSE")
			local _, answer = clone(master, 1)
			assert.equal(-1, answer[1])
			assert.equal("GC_EHOOK", answer[3])
			assert.matches("^GC_EHOOK: pre%-clone: ", answer[2])
		end)
	end)

	it("may take its time: the clone's own time limit begins after it", function()
		puppet.run(function(t)
			local gate = t.tmpdir() .. "/gate"
			local wait = ("while [ ! -e %s ]; do sleep 0.01; done"):format(gate)
			local master = start(t, { ["pre-clone"] = wait }, { GRIDCENTRIC_CLONE_TIMEOUT = "0.2" })
			local ticket = master:call("request_ticket", 1, 1, 1, 0)
			master:eval(("coroutine.wrap(function() kept.answer = gc.clone(%q) end)()"):format(ticket))
			-- meanwhile the master's loop goes on, for longer than that limit
			master:eval([[
				await(function(wake)
					local n, timer = 0, uv.new_timer()
					timer:start(5, 5, function()
						n = n + 1
						if n < 60 then return end
						timer:close()
						wake()
					end)
				end)
			]])
			assert.equal("starting", master:domains()[1].state)
			write(gate, "")
			t.wait_until(function() return master:eval("return kept.answer") == 0 end)
			assert.equal("ready", master:domains()[1].state)
		end)
	end)

	it("is ended with the clone that is killed meanwhile, and with the master", function()
		puppet.run(function(t)
			local pids = t.tmpdir() .. "/pids"
			local master = start(t, { ["pre-clone"] = ("echo $$ >>%s; exec sleep 60"):format(pids) })
			local ticket = master:call("request_ticket", 2, 2, 1, 0)
			master:send(("gc.clone(%q)"):format(ticket))
			t.wait_until(function() return (read(pids) or ""):find("^%d+\n%d+\n$") end)
			local first, second = read(pids):match("(%d+)\n(%d+)")
			assert.is_true((master:call("kill", 1)))
			t.wait_until(function()
				return not (procfs.alive(tonumber(first)) and procfs.alive(tonumber(second)))
			end)
			master:send("os.exit(0)")
			master.process:wait()
			for _, pid in ipairs{ first, second } do
				t.wait_until(function() return not procfs.alive(tonumber(pid)) end)
			end
		end)
	end)
end)

describe("post-clone", function()
	it("that fails is told, and its clone lives all the same", function()
		puppet.run(function(t)
			local master = start(t, { ["post-clone"] = "echo no name server; exit 1" })
			local _, answer = clone(master, 1)
			assert.same({ 0, { 1 } }, { answer[1], answer[4] })
			assert.equal(1, master:of(master:domains()[1]):eval("return gc.vmid()"))
			local event = hook_events(t, 1)[1]
			assert.same({ "hook failed", "post-clone: exit status 1: no name server", 1 },
				{ event.what, event.text, event.vmid })
		end)
	end)

	it("that hangs delays the answer until its time is over", function()
		puppet.run(function(t)
			local master = start(t, { ["post-clone"] = "exec sleep 60" },
				{ GRIDCENTRIC_HOOK_TIMEOUT = "0.1" })
			local _, answer = clone(master, 1)
			assert.equal(0, answer[1])
			assert.equal("post-clone: killed after 0.1 s", hook_events(t, 1)[1].text)
		end)
	end)

	it("of a clone that ends meanwhile is ended, too; that clone was made", function()
		puppet.run(function(t)
			local folder = t.tmpdir()
			local master = start(t, { ["post-clone"] = ("echo $$ >%s/pid; exec sleep 60"):format(folder) })
			master:eval("gc.on_clone(function() os.exit(3) end)")
			local _, answer = clone(master, 1)
			assert.same({ 0, { 1 } }, { answer[1], answer[4] })
			t.wait_until(function()
				local pid = tonumber(read(folder .. "/pid") or "") -- it may end before it has told
				return not pid or not procfs.alive(pid)
			end)
		end)
	end)
end)

describe("a hook under a program that reaps children all the time", function()
	-- as failed under Node: its SIGCHLD handler took the exit status of the script
	it("has its exit status seen, 0 or not, 40 times", function()
		puppet.run(function(t)
			local master = start(t, { ["pre-clone"] = "exit $((GC_VMID % 2))", ["post-clone"] = "exit 0" })
			master:eval([[
				kept.reaped = 0
				local function again()
					if kept.stop then return end
					local handle
					handle = uv.spawn("true", {}, function(status, signal)
						assert(status == 0 and signal == 0)
						kept.reaped = kept.reaped + 1
						handle:close()
						again()
					end)
				end
				gc.on_clone(function() kept.stop = true end)
				again()
				again()
			]])
			for round = 1, 10 do
				local _, answer = clone(master, 4)
				assert.equal("GC_EHOOK", answer[3])
				assert.equal("GC_EHOOK: pre-clone: exit status 1", answer[2])
				table.sort(answer[4])
				assert.same({ 4 * round - 2, 4 * round }, answer[4])
				for _, vmid in ipairs(answer[4]) do master:call("kill", vmid) end
			end
			assert.is_true(master:eval("return kept.reaped") > 10)
			master:eval("kept.stop = true")
		end)
	end)
end)
