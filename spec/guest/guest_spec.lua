-- What programs call: require "gridcentric".

local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

-- What stands before each program here.
local prelude = [[local gc, uv = require "gridcentric", require "luv" ]]
	.. [[local function say(...) print(...) io.stdout:flush() end ]]
	-- calls fn when no other domain is left
	.. [[local function alone(fn) gc.list_domains(function(all) ]]
	.. [[if #all > 1 then alone(fn) else fn() end end) end ]]

local function start(t, program, env)
	return t.spawn{ "lua5.4", "-e", prelude .. program .. " uv.run()", env = env }
end

-- Runs a program to its end, in a domain with CPUs for it; gives its output.
local function output_of(program, env, expected_status)
	local out, err
	puppet.run(function(t)
		local p = start(t, program, env)
		local status, signal = p:wait()
		assert.same({ expected_status or 0, 0 }, { status, signal }, p:describe())
		out, err = p.stdout, p.stderr
	end)
	return out, err
end

local uuid = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"

describe("request_ticket", function()
	it("calls back with the ticket's uuid alone", function()
		local out = output_of([[
			gc.request_ticket(1, 1, 1, 1000, function(...) say(select("#", ...), ...) end)
		]])
		assert.matches("^1\t" .. uuid .. "\n$", out)
	end)

	it("does nothing if the coroutine was closed meanwhile", function()
		assert.equal("closed\nlater\n", output_of([[
			local waiting = coroutine.create(function() gc.request_ticket(1, 1, 1, 1000) end)
			coroutine.resume(waiting)
			coroutine.close(waiting)
			say "closed"
			gc.request_ticket(1, 1, 1, 1000, function() say "later" end)
		]]))
	end)

	it("returns it in a coroutine", function()
		local out = output_of([[
			coroutine.wrap(function() say(gc.request_ticket(1, 1, 1, 1000)) say("after") end)()
			say("meanwhile")
		]])
		assert.matches("^meanwhile\n" .. uuid .. "\nafter\n$", out)
	end)

	it("calls back with nil, err, code when it is denied", function()
		local out = output_of([[
			gc.request_ticket(1, 1, 1, 1000, function(first)
				gc.request_ticket(1, 1, 1, 20, function(...) say(...) end)
			end)
		]], { GRIDCENTRIC_CPUS = "1" })
		assert.matches("^nil\tGC_EDENIED: [^\n]*20 ms[^\n]*\tGC_EDENIED\n$", out)
	end)

	it("fails at once, with the bound, when it can never be granted", function()
		local out = output_of([[
			local cases = {
				{ 0, 1, 1, 0 }, { 1, 0, 1, 0 }, { 1, 1, 0, 0 }, { 1, 1, 1, -1 }, { -5, 1, 1, 0 },
				{ 1, 2, 1, 60000 }, { 2, 1, 3, 60000 }, { 9, 9, 1, 60000 }, { 9, 1, 9, 60000 },
				{ 1, 1, 1, 24 * 3600 * 1000 + 1 }, { 1000000, 1000000, 1, 60000 },
			}
			for i, case in ipairs(cases) do
				gc.request_ticket(case[1], case[2], case[3], case[4], function(ticket, err, code)
					say(i, ticket, code, err)
				end)
			end
		]], { GRIDCENTRIC_CPUS = "8" })
		local bounds = {
			"maxcpus is 0: it must be at least 1", "minvms is 0: it must be at least 1",
			"mincpuspervm is 0: it must be at least 1", "timeout_ms is %-1: it must be from 0 to 86400000",
			"maxcpus is %-5: it must be at least 1",
			"2 VMs with 1 CPUs each are 2 CPUs, more than the maximum of 1 that was asked for",
			"more than the maximum of 2", "9 CPUs, more than the 8", "9 CPUs, more than the 8",
			"timeout_ms is 86400001: it must be from 0 to 86400000",
			"more than the 8",
		}
		local n = 0
		for line in out:gmatch("[^\n]+") do
			local i, err = line:match("^(%d+)\tnil\tGC_EIMPOSSIBLE\tGC_EIMPOSSIBLE: (.*)$")
			assert.is_truthy(i, line)
			assert.matches(bounds[tonumber(i)], err)
			n = n + 1
		end
		assert.equal(#bounds, n)
	end)

	it("grants min(free, maxcpus) div mincpuspervm clones", function()
		-- free, maxcpus, minvms, mincpuspervm -> vms, cpus; nil: denied
		local cases = {
			{ 8, 1, 1, 1, 1, 1 }, { 8, 8, 1, 1, 8, 8 }, { 8, 100, 1, 1, 8, 8 }, { 8, 7, 1, 2, 3, 6 },
			{ 8, 7, 3, 2, 3, 6 }, { 8, 8, 1, 3, 2, 6 }, { 8, 8, 2, 4, 2, 8 }, { 8, 8, 1, 8, 1, 8 },
			{ 5, 8, 1, 3, 1, 3 }, { 5, 8, 2, 3 }, { 5, 8, 1, 6 }, { 1, 2, 2, 1 }, { 3, 9, 3, 1, 3, 3 },
		}
		for _, case in ipairs(cases) do
			local free, maxcpus, minvms, mincpuspervm, vms, cpus = table.unpack(case)
			local out = output_of(([[
				local function ask()
					gc.request_ticket(%d, %d, %d, 0, function(ticket, err, code)
						if not ticket then return say(code) end
						gc.ticket_info(ticket, function(info)
							say(info.vms, info.cpus, info.mincpuspervm, info.status)
						end)
					end)
				end
				if %d == 8 then return ask(), uv.run() end
				gc.request_ticket(8 - %d, 1, 8 - %d, 0, ask)
			]]):format(maxcpus, minvms, mincpuspervm, free, free, free), { GRIDCENTRIC_CPUS = "8" })
			local expected = vms and ("%d\t%d\t%d\tgranted\n"):format(vms, cpus, mincpuspervm)
				or "GC_EDENIED\n"
			assert.equal(expected, out, table.concat(case, " "))
		end
	end)

	it("is served in the order of arrival when resources come free", function()
		local out = output_of([[
			gc.request_ticket(4, 4, 1, 0, function(all)
				for i, n in ipairs{ 3, 1, 2 } do
					gc.request_ticket(n, n, 1, 5000, function(ticket)
						say(i)
						gc.release_ticket(ticket, function() end)
					end)
				end
				gc.release_ticket(all, function() say("released") end)
			end)
		]], { GRIDCENTRIC_CPUS = "4" })
		local order = out:gsub("released\n", "")
		assert.equal("1\n2\n3\n", order)
	end)

	it("waits for the clones of another program that shares the state folder", function()
		puppet.run(function(t)
			local env = { GRIDCENTRIC_CPUS = "1" }
			local first = start(t, [[
				gc.request_ticket(1, 1, 1, 0, function(ticket)
					gc.clone(ticket, function(vmid)
						if vmid > 0 then return uv.new_timer():start(60000, 0, function() end) end
						say("holds it")
						uv.new_timer():start(60000, 0, function() end)
					end)
				end)
			]], env)
			first:line("holds it")
			local second = start(t, [[
				gc.request_ticket(1, 1, 1, 0, function(_, _, code) say(code) end)
				gc.request_ticket(1, 1, 1, 8000, function(ticket) say(ticket and "granted") end)
			]], env)
			second:line("GC_EDENIED")
			first:stop()
			second:line("granted")
			assert.equal(0, (second:wait()))
		end)
	end)
end)

describe("clone", function()
	it("calls back in each: its number in a clone, 0 and the new numbers in the master", function()
		local out = output_of([[
			gc.request_ticket(3, 3, 1, 1000, function(ticket)
				gc.clone(ticket, function(...)
					local n, vmid, err, code, vmids = select("#", ...), ...
					if vmid > 0 then
						say("clone", n, vmid, gc.vmid())
						return os.exit(0)
					end
					table.sort(vmids)
					alone(function() say("master", n, vmid, err, code, table.concat(vmids, " "), gc.vmid()) end)
				end)
			end)
		]])
		local lines = {}
		for line in out:gmatch("[^\n]+") do lines[#lines + 1] = line end
		table.sort(lines)
		assert.same({ "clone\t1\t1\t1", "clone\t1\t2\t2", "clone\t1\t3\t3",
			"master\t4\t0\tnil\tnil\t1 2 3\t0" }, lines)
	end)

	it("returns the same in a coroutine", function()
		local out = output_of([[
			coroutine.wrap(function()
				local ticket = gc.request_ticket(1, 1, 1, 1000)
				local vmid, err, code, vmids = gc.clone(ticket)
				if vmid > 0 then say("clone", vmid, err, code, vmids) os.exit(0) end
				alone(function() say("master", vmid, err, code, #vmids) end)
			end)()
		]])
		assert.equal("clone\t1\tnil\tnil\tnil\nmaster\t0\tnil\tnil\t1\n", out)
	end)

	it("calls back with -1, err, code and no numbers when there is no such ticket", function()
		local out = output_of([[
			gc.clone("7d444840-9dc0-11d1-b245-5ffdce74fad2", function(vmid, err, code, vmids)
				say(vmid, err, code, #vmids)
			end)
		]])
		assert.equal("-1\tGC_ENOTICKET: no such ticket: 7d444840-9dc0-11d1-b245-5ffdce74fad2"
			.. "\tGC_ENOTICKET\t0\n", out)
	end)

	it("refuses a ticket that was used, released or has expired", function()
		local out = output_of([[
			coroutine.wrap(function()
				local used = gc.request_ticket(1, 1, 1, 1000)
				if gc.clone(used) > 0 then os.exit(0) end
				say((select(3, gc.clone(used))))
				local released = gc.request_ticket(1, 1, 1, 1000)
				assert(gc.release_ticket(released))
				say(gc.clone(released))
				local late = gc.request_ticket(1, 1, 1, 1000)
				local info repeat info = gc.ticket_info(late) until info.status ~= "granted"
				say(info.status, (select(3, gc.clone(late))))
				alone(function() end)
			end)()
		]], { GRIDCENTRIC_TICKET_LEASE = "0.05" })
		assert.matches("^GC_EUSED\n%-1\tGC_EUSED: ticket " .. uuid
			.. " is released, not granted\tGC_EUSED\ttable: [^\n]*\nexpired\tGC_EUSED\n$", out)
	end)

	it("can be called from any callback", function()
		local out = output_of([[
			local left = 0
			local function clone_from(name, schedule)
				left = left + 1
				gc.request_ticket(1, 1, 1, 1000, function(ticket)
					schedule(function()
						gc.clone(ticket, function(vmid, err)
							if vmid ~= 0 then say(vmid > 0 and name or err) os.exit(0) end
							left = left - 1
							if left == 0 then alone(function() os.exit(0) end) end
						end)
					end)
				end)
			end
			local server = uv.new_tcp()
			server:bind("127.0.0.1", 0)
			local accepted
			server:listen(8, function() accepted() end)
			local fds = uv.pipe()
			clone_from("ticket", function(fn) fn() end)
			clone_from("timer", function(fn) uv.new_timer():start(1, 0, fn) end)
			clone_from("idle", function(fn)
				local h = uv.new_idle()
				h:start(function() h:close() fn() end)
			end)
			clone_from("fs", function(fn) uv.fs_stat("/", function() fn() end) end)
			clone_from("dns", function(fn) uv.getaddrinfo("localhost", nil, {}, function() fn() end) end)
			clone_from("exit", function(fn) uv.spawn("true", {}, function() fn() end) end)
			clone_from("close", function(fn) uv.new_timer():close(fn) end)
			clone_from("async", function(fn)
				local h
				h = uv.new_async(function() h:close() fn() end)
				h:send()
			end)
			clone_from("signal", function(fn)
				local h = uv.new_signal()
				h:start("sigusr2", function() h:close() fn() end)
				uv.kill(uv.os_getpid(), "sigusr2")
			end)
			clone_from("accept", function(fn)
				accepted = fn
				uv.new_tcp():connect("127.0.0.1", server:getsockname().port, function() end)
			end)
			clone_from("work", function(fn) uv.new_work(function() end, function() fn() end):queue() end)
		]])
		local names = {}
		for line in out:gmatch("[^\n]+") do names[#names + 1] = line end
		table.sort(names)
		assert.same({ "accept", "async", "close", "dns", "exit", "fs", "idle", "signal", "ticket",
			"timer", "work" }, names)
	end)

	it("may be called again while one is under way, by the master and by its clone", function()
		local out = output_of([[
			local function clone(n, done)
				gc.request_ticket(n, n, 1, 1000, function(ticket)
					if ticket then gc.clone(ticket, done) end -- nil: pending at another clone
				end)
			end
			for i = 1, 3 do
				clone(2, function(vmid, err, code, vmids)
					if vmid > 0 and vmid <= 2 then
						return clone(1, function(inner)
							if inner > 0 then say("clone of a clone") os.exit(0) end
							if inner == 0 then say("clone, master of one") os.exit(0) end
						end)
					end
					if vmid > 0 then say("clone") os.exit(0) end
					if vmid == -1 then return say(code) end -- pending at another clone
					say("master", #vmids)
					if i == 3 then alone(function() os.exit(0) end) end
				end)
			end
		]])
		local count = {}
		for line in out:gmatch("[^\n]+") do count[line] = (count[line] or 0) + 1 end
		assert.equal(3, count["master\t2"])
		assert.equal(2, count["clone of a clone"])
		assert.equal(2, count["clone, master of one"])
		assert.equal(4, count["clone"])
	end)

	it("succeeds even if the clone ends at once", function()
		local out = output_of([[
			coroutine.wrap(function()
				local ticket = gc.request_ticket(20, 20, 1, 1000)
				local vmid, err, _, vmids = gc.clone(ticket)
				if vmid > 0 then os.exit(0) end
				say(vmid, err, #vmids)
				alone(function() end)
			end)()
		]])
		assert.equal("0\tnil\t20\n", out)
	end)

	it("reports which clones exist when a hook failed for one", function()
		puppet.run(function(t)
			local hooks = t.tmpdir()
			io.open(hooks .. "/pre-clone", "w"):write(
				'#!/bin/sh\n[ "$GC_VMID" = 2 ] && { echo no room for it; exit 3; }\nexit 0\n'):close()
			uv.fs_chmod(hooks .. "/pre-clone", 448)
			local p = start(t, [[
				coroutine.wrap(function()
					local ticket = gc.request_ticket(3, 3, 1, 1000)
					local vmid, err, code, vmids = gc.clone(ticket)
					if vmid > 0 then
						return uv.new_timer():start(60000, 0, function() end)
					end
					table.sort(vmids)
					say(vmid, err, code, table.concat(vmids, " "))
					-- the rest of the ticket was given back
					say(gc.ticket_info(gc.request_ticket(100, 1, 1, 1000)).vms)
					os.exit(0)
				end)()
			]], { GRIDCENTRIC_HOOKS = hooks, GRIDCENTRIC_CPUS = "4" })
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("-1\tGC_EHOOK: pre-clone: exit status 3: no room for it\tGC_EHOOK\t1 3\n2\n",
				p.stdout)
		end)
	end)
end)

describe("ticket_info", function()
	it("gives a plain table, as the ticket goes through its life", function()
		local out = output_of([[
			local function show(info)
				local keys = {}
				for key in pairs(info) do keys[#keys + 1] = key end
				table.sort(keys)
				say(table.concat(keys, " "), getmetatable(info))
				say(info.status, info.cpus, info.vms, info.mincpuspervm)
			end
			coroutine.wrap(function()
				local ticket = gc.request_ticket(5, 1, 2, 1000)
				local info = gc.ticket_info(ticket)
				assert(info.id == ticket)
				show(info)
				if gc.clone(ticket) > 0 then uv.new_timer():start(60000, 0, function() end) return end
				say(gc.ticket_info(ticket).status)
				for vmid = 1, 2 do assert(gc.kill(vmid)) end
				say(gc.ticket_info(ticket).status)
				gc.ticket_info("nonsense", function(...) say(...) end)
			end)()
		]])
		assert.equal("cpus id mincpuspervm status vms\tnil\ngranted\t4\t2\t2\nactive\nreleased\n"
			.. "nil\tGC_ENOTICKET: no such ticket: nonsense\tGC_ENOTICKET\n", out)
	end)

	it("shows that an unused ticket has expired, and that its share is free again", function()
		local out = output_of([[
			coroutine.wrap(function()
				local ticket = gc.request_ticket(4, 4, 1, 0)
				local other = gc.request_ticket(4, 4, 1, 5000)
				say(gc.ticket_info(ticket).status, gc.ticket_info(other).status)
			end)()
		]], { GRIDCENTRIC_CPUS = "4", GRIDCENTRIC_TICKET_LEASE = "0.1" })
		assert.equal("expired\tgranted\n", out)
	end)
end)

describe("release_ticket", function()
	it("gives back what is unused, and leaves the clones alone", function()
		local out = output_of([[
			coroutine.wrap(function()
				local ticket = gc.request_ticket(2, 2, 1, 0)
				if gc.clone(ticket) > 0 then uv.new_timer():start(60000, 0, function() end) return end
				say(gc.release_ticket(ticket))
				say(gc.ticket_info(ticket).status, #gc.list_domains())
				say(gc.release_ticket(ticket))
				-- the clones still have their share
				say(gc.ticket_info(gc.request_ticket(9, 1, 1, 0)).vms)
				gc.kill(1)
				say(gc.ticket_info(gc.request_ticket(9, 1, 1, 0)).vms)
				os.exit(0)
			end)()
		]], { GRIDCENTRIC_CPUS = "4" })
		out = out:gsub(uuid, "UUID")
		assert.equal("true\nreleased\t3\nnil\tGC_EUSED: ticket UUID is released already\tGC_EUSED\n"
			.. "2\n1\n", out)
	end)

	it("calls back, with an error if there is no such ticket", function()
		local out = output_of([[
			gc.request_ticket(1, 1, 1, 0, function(ticket)
				gc.release_ticket(ticket, function(...) say(select("#", ...), ...) end)
				gc.release_ticket("x", function(...) say(...) end)
			end)
		]])
		assert.equal("1\ttrue\nnil\tGC_ENOTICKET: no such ticket: x\tGC_ENOTICKET\n", out)
	end)
end)

describe("list_domains", function()
	it("gives number, host, endpoints, pid and state of each, by number", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			local domains = master:call("list_domains")
			assert.same({
				{ vmid = 0, host = "localhost", endpoints = {}, pid = master.pid, state = "ready" },
				{ vmid = 1, host = "localhost", pid = one.pid, state = "ready",
					endpoints = { [tostring(one.port)] = one.ip .. ":" .. one.port } },
				{ vmid = 2, host = "localhost", pid = two.pid, state = "ready",
					endpoints = { [tostring(two.port)] = two.ip .. ":" .. two.port } },
			}, domains)
			assert.same(domains, (one:call("list_domains")))
			assert.equal("integer", master:eval(
				"return math.type((next(gc.list_domains()[2].endpoints)))"))
		end)
	end)
end)

describe("kill", function()
	it("ends a clone at once and answers when it has ended", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			one:send("while true do end")
			assert.same({ true }, { master:call("kill", 1) })
			assert.is_false(procfs.alive(one.pid))
			assert.is_nil(master:domains()[1])
			assert.same({ true }, { master:eval("return await(function(wake) gc.kill(2, wake) end)") })
			assert.is_false(procfs.alive(two.pid))
		end)
	end)

	it("lets a clone end another, and itself", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one, two = master:clone(2)
			assert.is_true((one:call("kill", 2)))
			assert.is_false(procfs.alive(two.pid))
			one:send("gc.kill(gc.vmid())")
			master:wait_gone(1)
		end)
	end)

	it("fails for the master, and for a number without a domain", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			assert.same({ n = 3, nil, "GC_ENODOMAIN: no domain 9", "GC_ENODOMAIN" },
				table.pack(master:call("kill", 9)))
			assert.same({ n = 3, nil, "EPERM: the master ends by itself", "EPERM" },
				table.pack(one:call("kill", 0)))
		end)
	end)
end)

describe("a wrong call", function()
	it("raises an error at once, with the text of Lua's own functions", function()
		local out = output_of([[
			local function nothing() end
			local cases = {
				{ "request_ticket", nil }, { "request_ticket", 1, "x" }, { "request_ticket", 1, 1, {}, 1 },
				{ "request_ticket", 1, 1, 1, 1.5, nothing }, { "request_ticket", 1, 1, 1, 1, 5 },
				{ "request_ticket", 1, 1, 1, 1 }, { "request_ticket", 1, 1, 1, 1 << 40, nothing },
				{ "clone" }, { "clone", 5, nothing }, { "clone", "x" }, { "clone", "x", "y" },
				{ "ticket_info" }, { "ticket_info", "x" },
				{ "release_ticket", true }, { "release_ticket", "x" },
				{ "list_domains" }, { "list_domains", 1 }, { "kill", "1" }, { "kill", 1 },
				{ "on_clone" }, { "on_clone", 1 },
			}
			for _, case in ipairs(cases) do
				local ok, err = pcall(gc[ case[1] ], table.unpack(case, 2, 7))
				say(ok, (err:gsub("^[^ ]*: ", "")))
			end
		]])
		local both = "; or call it in a coroutine)"
		local expected = {
			"#1 to 'request_ticket' (number expected, got nil)",
			"#2 to 'request_ticket' (number expected, got string)",
			"#3 to 'request_ticket' (number expected, got table)",
			"#4 to 'request_ticket' (number has no integer representation)",
			"#5 to 'request_ticket' (function expected, got number)",
			"#5 to 'request_ticket' (function expected, got nil" .. both,
			"#4 to 'request_ticket' (out of range)",
			"#1 to 'clone' (string expected, got nil)",
			"#1 to 'clone' (string expected, got number)",
			"#2 to 'clone' (function expected, got nil" .. both,
			"#2 to 'clone' (function expected, got string)",
			"#1 to 'ticket_info' (string expected, got nil)",
			"#2 to 'ticket_info' (function expected, got nil" .. both,
			"#1 to 'release_ticket' (string expected, got boolean)",
			"#2 to 'release_ticket' (function expected, got nil" .. both,
			"#1 to 'list_domains' (function expected, got nil" .. both,
			"#1 to 'list_domains' (function expected, got number)",
			"#1 to 'kill' (number expected, got string)",
			"#2 to 'kill' (function expected, got nil" .. both,
			"#1 to 'on_clone' (function expected, got nil)",
			"#1 to 'on_clone' (function expected, got number)",
		}
		for i, text in ipairs(expected) do expected[i] = "false\tbad argument " .. text end
		assert.equal(table.concat(expected, "\n") .. "\n", out)
	end)

	it("names the caller's line", function()
		local _, err = output_of([[
			local function oops()
				gc.request_ticket()
			end
			oops()
		]], nil, 1)
		assert.matches("^lua5%.4: %(command line%):2: bad argument #1 to 'request_ticket' "
			.. "%(number expected, got nil%)\n", err)
	end)

	it("takes a float that is an integer", function()
		assert.matches(uuid, (output_of("gc.request_ticket(1.0, 1.0, 1.0, 1e3, function(t) say(t) end)")))
	end)
end)

describe("an error in a callback of the program", function()
	local names = {
		request_ticket = "gc.request_ticket(1, 1, 1, 0, oops)", list_domains = "gc.list_domains(oops)",
		clone = "gc.clone('x', oops)", kill = "gc.kill(77, oops)",
		ticket_info = "gc.ticket_info('x', oops)", release_ticket = "gc.release_ticket('x', oops)",
		["a coroutine"] = "coroutine.wrap(function() gc.list_domains() oops() end)()",
	}
	for name, call in pairs(names) do
		it("of " .. name .. " prints a traceback and ends the process with status 1", function()
			local out, err = output_of([[
				local function oops() local nothing; nothing.field = 1 end
				uv.new_timer():start(60000, 0, function() end)
			]] .. call, nil, 1)
			assert.equal("", out)
			assert.matches("^lua5%.4: %(command line%):1: attempt to index a nil value", err)
			assert.matches("stack traceback:\n.*%(command line%):1: in ", err)
		end)
	end

	it("in a clone ends that clone alone", function()
		local out, err = output_of([[
			gc.request_ticket(1, 1, 1, 0, function(ticket)
				gc.clone(ticket, function(vmid)
					if vmid > 0 then error("oops") end
					alone(function() say("master") end)
				end)
			end)
		]])
		assert.equal("master\n", out)
		assert.matches("lua5%.4: .*: oops\nstack traceback", err)
	end)

	it("after a failure at once is no different", function()
		local _, err = output_of([[gc.list_domains(function(_, text) error(text) end)]],
			{ GRIDCENTRIC_ENGINE = "/nowhere" }, 1)
		assert.matches("GRIDCENTRIC_ENGINE=/nowhere: No such file", err)
		assert.matches("stack traceback", err)
	end)
end)

describe("the event loop", function()
	it("is not kept alive by a library that is only loaded, or idle", function()
		assert.equal("0\n", (output_of("say(gc.vmid())")))
		assert.equal("granted\n", (output_of([[
			gc.request_ticket(1, 1, 1, 0, function() say("granted") end)
		]])))
	end)

	it("is kept alive by an operation under way", function()
		assert.equal("GC_EDENIED\n", (output_of([[
			gc.request_ticket(1, 1, 1, 0, function()
				gc.request_ticket(1, 1, 1, 100, function(_, _, code) say(code) end)
			end)
		]], { GRIDCENTRIC_CPUS = "1" })))
	end)

	it("is not blocked while a ticket waits", function()
		local out = output_of([[
			gc.request_ticket(1, 1, 1, 0, function(ticket)
				local n = 0
				local timer = uv.new_timer()
				timer:start(1, 1, function()
					n = n + 1
					if n == 20 then gc.release_ticket(ticket, function() end) timer:close() end
				end)
				gc.request_ticket(1, 1, 1, 8000, function(second) say(second ~= nil, n) end)
			end)
		]], { GRIDCENTRIC_CPUS = "1" })
		assert.equal("true\t20\n", out)
	end)

	it("runs no callback inside the call, also when it fails at once", function()
		for _, engine in ipairs{ false, "/nowhere" } do
			local out = output_of([[
				gc.list_domains(function() say("callback") end)
				gc.request_ticket(0, 0, 0, 0, function() say("callback") end)
				say("after the calls")
			]], { GRIDCENTRIC_ENGINE = engine })
			assert.equal("after the calls\ncallback\ncallback\n", out)
		end
	end)

	it("gets an error, in a callback, where the engine cannot be started", function()
		local out = output_of([[
			gc.request_ticket(1, 1, 1, 0, function(ticket, err, code) say(ticket, err, code) end)
			gc.clone("x", function(vmid, err, code, vmids) say(vmid, code, #vmids) end)
			coroutine.wrap(function() say(select(3, gc.list_domains())) end)()
		]], { GRIDCENTRIC_ENGINE = "/nowhere" })
		assert.equal("nil\tENOENT: GRIDCENTRIC_ENGINE=/nowhere: No such file or directory\tENOENT\n"
			.. "-1\tENOENT\t0\nENOENT\n", out)
	end)
end)

describe("a new clone", function()
	it("runs on_clone first, in order, with its number", function()
		local out = output_of([[
			gc.on_clone(function(vmid) say("first", vmid, gc.vmid()) end)
			gc.on_clone(function(vmid) say("second", vmid) end)
			gc.request_ticket(1, 1, 1, 0, function(ticket)
				gc.clone(ticket, function(vmid)
					if vmid > 0 then say("callback", vmid) os.exit(0) end
					alone(function() end)
				end)
			end)
		]])
		assert.equal("first\t1\t1\nsecond\t1\ncallback\t1\n", out)
	end)

	it("sees pending operations end with ECANCELED; they go on in the master", function()
		local out = output_of([[
			gc.request_ticket(2, 1, 2, 0, function(ticket)
				-- waits: nothing is left
				gc.request_ticket(1, 1, 1, 8000, function(second, err, code)
					say(gc.vmid(), second and "granted", err, code)
					if gc.vmid() == 0 then os.exit(0) end
				end)
				coroutine.wrap(function()
					local second, err, code = gc.request_ticket(1, 1, 1, 8000)
					say(gc.vmid(), second and "granted", err, code)
					if gc.vmid() > 0 then os.exit(0) end
				end)()
				gc.clone(ticket, function(vmid) if vmid > 0 then say("clone") end end)
			end)
		]], { GRIDCENTRIC_CPUS = "2" })
		local cancelled = "1\tnil\tECANCELED: it goes on in the master\tECANCELED\n"
		assert.equal("clone\n" .. cancelled .. cancelled .. "0\tgranted\tnil\tnil\n", out)
	end)

	it("cannot use the master's ticket, nor the master the clone's", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local ticket = master:call("request_ticket", 1, 1, 1, 0)
			local theirs = one:call("request_ticket", 1, 1, 1, 0)
			for _, call in ipairs{ { one, ticket }, { master, theirs } } do
				for _, name in ipairs{ "ticket_info", "release_ticket", "clone" } do
					local value, err, code = call[1]:call(name, call[2])
					assert.equal(name == "clone" and -1 or nil, value)
					assert.equal("GC_ENOTOWNER", code)
					assert.equal(("GC_ENOTOWNER: ticket %s belongs to another domain"):format(call[2]), err)
				end
			end
			assert.equal("granted", master:call("ticket_info", ticket).status)
		end)
	end)

	it("can ask for tickets and clone itself", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			local one = master:clone()
			local two, three = one:clone(2)
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.equal(3, three:eval("return gc.vmid()"))
			assert.is_true((three:call("kill", 1)))
			-- its clones live on
			assert.equal(2, two:eval("return gc.vmid()"))
			assert.same({ 0, 2, 3 }, (function()
				local found = {}
				for vmid in pairs(master:domains()) do found[#found + 1] = vmid end
				table.sort(found)
				return found
			end)())
		end)
	end)

	it("gives its reservations back when it ends", function()
		puppet.run(function(t)
			local master = puppet.start(t, { env = { GRIDCENTRIC_CPUS = "4" } })
			local one = master:clone()
			assert(one:call("request_ticket", 3, 3, 1, 0))
			assert.equal("GC_EDENIED", (select(3, master:call("request_ticket", 1, 1, 1, 0))))
			master:call("kill", 1)
			assert(master:call("request_ticket", 4, 4, 1, 5000))
		end)
	end)
end)

describe("a master that is stuck", function()
	it("makes no clone that the engine has given up", function()
		puppet.run(function(t)
			local master = puppet.start(t, { env = { GRIDCENTRIC_CLONE_TIMEOUT = "0.1" } })
			local ticket = master:call("request_ticket", 2, 2, 1, 0)
			local before = #procfs.children(master.pid)
			local vmid, err, code = master:eval(([[
				gc.list_domains() -- so that the clone's request leaves in one turn
				return await(function(wake)
					gc.clone(%q, function(...)
						if gc.vmid() == 0 then wake(...) end
					end)
					local till = uv.hrtime() + 0.5e9
					while uv.hrtime() < till do end
				end)
			]]):format(ticket))
			assert.equal(-1, vmid)
			assert.equal("GC_ENOTREADY", code)
			assert.matches("was not ready after 100 ms: the program did not return to its event loop", err)
			t.wait_until(function() return #procfs.children(master.pid) == before end, nil,
				"the end of clones that nobody knows")
		end)
	end)
end)
