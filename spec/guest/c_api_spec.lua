-- The guest API in C, by examples/clone.c.

local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local procfs = require "spec.support.procfs"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local example = paths.build .. "/bin/clone-example"

describe("examples/clone.c", function()
	it("clones itself, and lists who there is", function()
		puppet.run(function(t)
			local p = t.spawn{ example, "3" }
			assert.same({ 0, 0 }, { p:wait() }, p:describe())
			local lines = {}
			for line in p.stdout:gmatch("[^\n]+") do
				-- a clone that has ended by then is not in the list
				if not line:find("^domain [123] is process %d+ on localhost$") then
					lines[#lines + 1] = (line:gsub("process %d+", "process N"))
				end
			end
			table.sort(lines)
			assert.same({ "clone number 1", "clone number 2", "clone number 3",
				"domain 0 is process N on localhost", "still the master",
				"ticket is granted for 3 clones" }, lines)
			assert.equal("", p.stderr)
		end)
	end)

	it("fails with errno and a text where it asks for too much", function()
		puppet.run(function(t)
			local p = t.spawn{ example, "3", env = { GRIDCENTRIC_CPUS = "2" } }
			assert.equal(1, (p:wait()))
			assert.equal("", p.stdout)
			assert.matches("no resources: .*3 CPUs, more than the 2.*: Numerical result out of range\n$",
				p.stderr)
			local none = t.spawn{ example, "1", env = { GRIDCENTRIC_ENGINE = "/nowhere" } }
			assert.equal(1, (none:wait()))
			assert.matches("GRIDCENTRIC_ENGINE=/nowhere: No such file or directory", none.stderr)
		end)
	end)

	it("is not cloned where it does not agree", function()
		puppet.run(function(t)
			local p = t.spawn{ example, "veto" }
			assert.equal(1, (p:wait()))
			assert.matches("^clone: .*before_clone: a transaction is open: Device or resource busy\n$",
				p.stderr)
		end)
	end)

	it("under a controller it is cloned in gc_wait()", function()
		puppet.run(function(t)
			local p = t.spawn{ "lua5.4", "-e", ([[
				local async, gc = require "gridcentric.platform.async", require "gridcentric"
				local core = assert(async.open{ role = "outside", name = "starter" })
				async.on("domain", function(_, vmid, state, info)
					print(state, vmid, info.pid)
					io.stdout:flush()
					if vmid ~= 0 or state ~= "ready" then return end
					gc.request_ticket(2, 2, 1, 0, function(ticket)
						gc.clone(ticket, function(answer, err, code, vmids)
							print("cloned", answer, err, #vmids)
							io.stdout:flush()
						end)
					end)
				end)
				core:start(0, "/", { %q, "wait" })
				async.hold()
				require("luv").run()
			]]):format(example) }
			p:line("cloned\t0\tnil\t2")
			t.wait_until(function()
				return p.stdout:find("clone number 1", 1, true) and p.stdout:find("clone number 2", 1, true)
			end, nil, "both clones")
			local pids = {}
			for pid in p.stdout:gmatch("ready\t%d\t(%d+)") do pids[#pids + 1] = tonumber(pid) end
			assert.equal(3, #pids)
			p:kill("sigkill")
			p:wait()
			for _, pid in ipairs(pids) do t.wait_until(function() return not procfs.alive(pid) end) end
		end)
	end)
end)

describe("gc-guest.h", function()
	it("compiles alone, in C and as C++, and links with -lgridcentric", function()
		puppet.run(function(t)
			local dir = t.tmpdir()
			local file = io.open(dir .. "/use.c", "w")
			file:write([[
				#include <gridcentric/gc-guest.h>
				#include <errno.h>
				#include <stdio.h>
				int main(void)
				{
					gc_uuid_t ticket = { "x" };
					puts(gc_ticket_status_string(GC_TICKET_EXPIRED));
					puts(gc_ticket_status_string((gc_ticket_status_t)99));
					if (gc_vmid() || gc_release_ticket(ticket) != -1 || errno != ENOENT)
						return 1;
					if (gc_kill(99) != -1 || errno != ESRCH)
						return 2;
					return gc_fd() < 0 || gc_wait(0) != 0;
				}
			]])
			file:close()
			for _, language in ipairs{ "c", "c++" } do
				local cc = t.spawn{ "gcc", "-x", language, "-Wall", "-Wextra", "-Werror", "-pedantic",
					"-fsyntax-only", "-I" .. paths.root .. "/csrc", dir .. "/use.c", foreign = true }
				cc:wait()
				-- a C++ compiler need not be there
				local missing = language == "c++" and cc.stderr:find("cc1plus", 1, true)
				assert.is_truthy(cc.status == 0 or missing, cc.stderr)
			end
			local lib = paths.build .. "/lib"
			local cc = t.spawn{ "gcc", "-I" .. paths.root .. "/csrc", dir .. "/use.c", "-L" .. lib,
				"-lgridcentric", "-Wl,-rpath," .. lib, "-Wl,--allow-shlib-undefined", "-o", dir .. "/use",
				foreign = true }
			assert.equal(0, (cc:wait()), cc.stderr)
			local p = t.spawn{ dir .. "/use" }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("expired\nunknown\n", p.stdout)
		end)
	end)
end)
