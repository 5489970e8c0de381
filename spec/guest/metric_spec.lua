local async = require "spec.support.async"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"

-- Metrics of the program's own, from gc.metric() to the engine's owner: here the master itself.
describe("gc.metric", function()
	-- The master keeps what comes, as "vmid name value".
	local function start(t)
		local master = puppet.start(t)
		master:eval [[
			kept.heard = {}
			require("gridcentric.platform.async").on("metric", function(_, vmid, name, value)
				table.insert(kept.heard, ("%d %s %.6g"):format(vmid, name, value))
			end)
		]]
		return master
	end

	local function heard(master)
		return master:eval "return kept.heard"
	end

	-- Waits until the master has heard it; gives all that it heard.
	local function wait_heard(t, master, text)
		return t.wait_until(function()
			local all = heard(master)
			return all[#all] == text and all
		end, 5000, text)
	end

	it("is reported for each domain, by its number", function()
		if puppet.missing then pending(puppet.missing) end
		puppet.run(function(t)
			local master = start(t)
			local one, two = master:clone(2)
			one:eval "return gc.metric('queue_depth', 3)"
			wait_heard(t, master, "1 queue_depth 3")
			two:eval "return gc.metric('queue_depth', 0.1)"
			wait_heard(t, master, "2 queue_depth 0.1")
			master:eval "return gc.metric('queue_depth', -1e15)"
			wait_heard(t, master, "0 queue_depth -1e+15")
		end)
	end)

	it("is sent once there is an engine", function()
		puppet.run(function(t)
			local master = start(t)
			assert.is_true(master:eval "return gc.metric('early', 1)")
			assert.is_true(master:eval "return gc.metric('early', 2)")
			master:domains()
			assert.same({ "0 early 2" }, wait_heard(t, master, "0 early 2"))
		end)
	end)

	it("is sent ten times a second at most, and the last value always", function()
		if puppet.missing then pending(puppet.missing) end
		puppet.run(function(t)
			local master = start(t)
			local clone = master:clone(1)
			clone:eval "for i = 1, 10000 do gc.metric('n', i) gc.metric('m', -i) end"
			local all = wait_heard(t, master, "1 m -10000")
			assert.is_true(#all <= 6, #all .. " messages")
			assert.equal("1 n 10000", all[#all - 1])
		end)
	end)

	it("is not inherited by clones", function()
		if puppet.missing then pending(puppet.missing) end
		puppet.run(function(t)
			local master = start(t)
			master:eval "gc.metric('state', 7)"
			local clone = master:clone(1)
			clone:eval "gc.metric('own', 1)"
			for _, text in ipairs(wait_heard(t, master, "1 own 1")) do
				assert.not_equal("1 state 7", text)
			end
		end)
	end)

	it("refuses wrong names and numbers", function()
		puppet.run(function(t)
			local master = start(t)
			local function raised(code)
				local ok, err = pcall(master.eval, master, code)
				assert.is_false(ok)
				return err
			end
			for _, name in ipairs { "", "Queue", "a-b", "_own", ("x"):rep(65) } do
				assert.matches("bad argument #1 to 'metric' %(name of a to z",
					raised(("gc.metric(%q, 1)"):format(name)))
			end
			assert.matches("bad argument #2 to 'metric' %(number expected, got string%)",
				raised "gc.metric('a', 'b')")
			for _, value in ipairs { "0/0", "math.huge" } do
				local ok, err, code = master:eval(("return gc.metric('a', %s)"):format(value))
				assert.same({ nil, "EINVAL: metric a: not a finite number", "EINVAL" }, { ok, err, code })
			end
		end)
	end)

	it("takes 64 names", function()
		puppet.run(function(t)
			local master = start(t)
			assert.is_true(master:eval [[
				for i = 1, 64 do assert(gc.metric("n" .. i, i)) end
				return gc.metric("n1", 5)
			]])
			local ok, _, code = master:eval "return gc.metric('n65', 1)"
			assert.same({ nil, "ENOSPC" }, { ok, code })
		end)
	end)
end)

describe("gc_metric()", function()
	local program = [[
		#include <errno.h>
		#include <math.h>
		#include <stdio.h>
		#include <gridcentric/gc-guest.h>
		int main(void)
		{
			if (gc_metric("Bad", 1) != -1 || errno != EINVAL)
				return 1;
			if (gc_metric("2nd", 1) != -1 || gc_metric("nan", NAN) != -1)
				return 1;
			puts(gc_error_text());
			fflush(stdout);
			if (gc_metric("frames", 12.5))
				return 2;
			while (gc_wait(-1) == 0)
				continue;
			return 3;
		}
	]]

	it("reports a value from C", function()
		async.run(function(t)
			local dir, lib = t.tmpdir(), paths.build .. "/lib"
			local file = assert(io.open(dir .. "/program.c", "w"))
			file:write(program)
			file:close()
			local cc = t.spawn { "gcc", "-I" .. paths.root .. "/csrc", dir .. "/program.c", "-L" .. lib,
				"-lgridcentric", "-Wl,-rpath," .. lib, "-Wl,--allow-shlib-undefined", "-o", dir .. "/program",
				foreign = true }
			assert.equal(0, (cc:wait()), cc.stderr)
			local owner = t.spawn { "lua5.4", "-e", ([[
				local async = require "gridcentric.platform.async"
				local core = assert(async.open { role = "outside", name = "owner" })
				async.on("metric", function(_, vmid, name, value)
					print("heard", vmid, name, value)
					io.stdout:flush()
				end)
				core:start(0, "/", { %q })
				async.hold()
				require("luv").run()
			]]):format(dir .. "/program") }
			owner:line("heard\t0\tframes\t12.5")
			owner:stop()
			assert.matches("metric nan: not a finite number", owner.stdout)
		end)
	end)
end)
