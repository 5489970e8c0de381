-- The scripts in examples/guest, run as they are.

local json = require "dkjson"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

-- What the scripts printed, once there are n events of it: the engine writes them down
-- a moment later.
local function hook_events(t, n)
	local p, texts = t.spawn{ paths.engine, "--print", "events" }, {}
	p:wait()
	for _, event in ipairs(json.decode(p.stdout)) do
		if event.what:find("^hook") then texts[#texts + 1] = event.what .. ": " .. event.text end
	end
	return #texts >= n and texts
end

local function run(name, env)
	local lines = {}
	puppet.run(function(t)
		local p = t.spawn{ "lua5.4", ("%s/guest/%s.lua"):format(paths.examples, name), env = env }
		assert.same({ 0, 0 }, { p:wait() }, p:describe())
		assert.equal("", p.stderr)
		for line in p.stdout:gmatch("[^\n]+") do lines[#lines + 1] = line end
		table.sort(lines)
		if env and env.GRIDCENTRIC_HOOKS then
			local events = t.wait_until(function() return hook_events(t, 5) end)
			table.move(events, 1, #events, #lines + 1, lines)
		end
	end)
	return lines
end

describe("examples/guest", function()
	it("clone.lua makes a clone", function()
		assert.same({ "clone number 1", "still the master" }, run "clone")
	end)

	it("ticket_info.lua shows what a ticket gave", function()
		local lines = run("ticket_info", { GRIDCENTRIC_CPUS = "5" })
		assert.same({ "4 CPUs, 2 clones of 2 each", "released" }, { lines[1], lines[2] })
		assert.matches("^ticket %x+%-%x+%-%x+%-%x+%-%x+ is granted$", lines[3])
	end)

	it("list_domains.lua lists the clones, and ends them", function()
		local lines = run "list_domains"
		assert.equal("1 left", lines[1])
		local text = "^domain %d: ready, process %%d+ on localhost, listens at %s"
		assert.matches(text:format(0, "the program's own address$"), lines[2])
		for vmid = 1, 3 do
			assert.matches(text:format(vmid, ("127%%.%%d+%%.0%%.%d:%%d+$"):format(vmid)), lines[2 + vmid])
		end
		assert.equal(5, #lines)
	end)

	it("hooks.lua runs the scripts; pre-clone refuses the third clone", function()
		local lines = run("hooks", { GRIDCENTRIC_HOOKS = paths.examples .. "/guest/hooks" })
		assert.same({ "2 clones were made", "clone 1 begins", "clone 2 begins" },
			{ lines[1], lines[2], lines[3] })
		assert.matches("^error: GC_EHOOK: pre%-clone: exit status 1: clone 3 is to be at 127%.", lines[4])
		local hooks = table.concat(lines, "\n", 5)
		assert.matches("hook: clone 1 is to be at 127%.[%d.]+\n", hooks)
		assert.matches("hook: clone 2 is at 127%.[%d.]+, on ticket %x+%-", hooks)
		assert.matches("hook failed: pre%-clone: exit status 1", hooks)
	end)
end)
