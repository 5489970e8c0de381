-- The policies in examples/policies/ and the program there that uses the controller from Lua: each
-- run, and asked as gcscale would. The chat has specs of its own.

local async = require "spec.support.async"
local paths = require "spec.support.paths"
local policy = require "gridcentric.config.load"
local puppet = require "spec.support.puppet"
local support = require "spec.support.policy"
local uv = require "luv"

local MONDAY_NOON = os.time { year = 2024, month = 1, day = 1, hour = 12 }
local MONDAY_NINE = os.time { year = 2024, month = 1, day = 1, hour = 9 }
local NIGHT = os.time { year = 2024, month = 1, day = 1, hour = 3 }

local POLICIES = { "function", "ratio", "ready", "rules" }
local PROGRAMS = { "controller" }

describe("the example", function()
	local function path_of(name) return ("%s/policies/%s.lua"):format(paths.examples, name) end

	-- The policy as a function of seconds and load.
	local function open(name)
		local p, state, desired = assert(policy.load(path_of(name))), {}, 0
		return function(now, load)
			local reason
			desired, reason = policy.decide(p, now, support.sample(load), state, desired)
			return desired, reason
		end
	end

	it("has a spec here, whichever it is", function()
		local known, found = {}, {}
		for _, list in ipairs { POLICIES, PROGRAMS } do
			for _, name in ipairs(list) do known[name .. ".lua"] = true end
		end
		local folder = assert(uv.fs_scandir(paths.examples .. "/policies"))
		for name in uv.fs_scandir_next, folder do found[name] = true end
		assert.same(known, found)
	end)

	for _, name in ipairs(POLICIES) do
		it(name .. " runs", function()
			if puppet.missing then pending(puppet.missing) end
			async.run(function(t)
				local port = t.free_port()
				local p = t.spawn { paths.gcscale, path_of(name), "--listen", "127.0.0.1:" .. port }
				p:line("listens on")
				-- which one it is depends on the time of day, where the policy looks at that
				assert.matches('"vmid":[1-9]', t.http { port = port, path = "/who" }.body)
				assert.equal(0, (p:stop()))
			end)
		end)

		it(name .. " passes gcscale check", function()
			async.run(function(t)
				local p = t.spawn { paths.gcscale, "check", path_of(name) }
				assert.equal(0, p:wait(), p:describe())
			end)
		end)
	end

	it("ratio has one clone for every four connections", function()
		local ask = open "ratio"
		assert.same({ min = 1, max = 8 }, policy.load(path_of "ratio").clones)
		assert.equal(2, (ask(0, { connections = 5 })))
	end)

	it("function goes up at once, and down after ten quiet seconds", function()
		local ask = open "function"
		local function at(now, sessions) return (ask(now, { sessions = sessions })) end
		assert.equal(0, at(0, 0))
		assert.equal(3, at(1, 5))
		assert.equal(3, at(2, 1))
		assert.equal(3, at(10, 1))
		assert.equal(3, at(10.5, 6))
		assert.equal(3, at(20, 1))
		assert.equal(1, at(21, 1))
		assert.equal(2, at(21.5, 3))
	end)

	it("ready has clones for users and their work, within the budget", function()
		local ask = open "ready"
		local function load(changes)
			local quiet = { clones = 2, cpu = 0.1, heap = 10e6, memory_per_clone = 1e6, time = MONDAY_NOON }
			for name, value in pairs(changes) do quiet[name] = value end
			return quiet
		end
		assert.equal(3, (ask(0, load { sessions = 5 })))
		assert.equal(6, (ask(1, load { sessions = 5, clones = 4, cpu = 0.9 })))
		assert.equal(6, (ask(60, load { sessions = 2 }))) -- target's down window
		assert.equal(4, (ask(61, load { sessions = 2, time = MONDAY_NINE })))
		local desired, reason = ask(62, load { sessions = 12, memory_per_clone = 120e6 })
		assert.equal(4, desired)
		assert.equal("12 sessions, 2 per clone; "
			.. "at most 4 by budget of 512 MB private memory, 120 MB per clone", reason)
	end)

	it("rules has clones for users, more in a burst, fewer when it is quiet", function()
		local ask, clones = open "rules", 0
		local function load(changes)
			local values = { clones = clones, cpu = 0.3, memory = 1e8, time = NIGHT }
			for name, value in pairs(changes) do values[name] = value end
			return values
		end
		local function after(now, changes)
			clones = ask(now, load(changes))
			return clones
		end
		assert.equal(1, after(0, {}))
		assert.equal(2, after(1, { sessions = 3 }))
		assert.equal(3, after(2, { sessions = 5 }))
		for now = 3, 12 do assert.equal(3, after(now, { sessions = 5, cpu = 1 })) end
		local most = 0
		for now = 13, 40 do most = math.max(most, after(now, { sessions = 5, cpu = 1 })) end
		assert.is_true(most >= 5)
		assert.equal(8, after(41, { sessions = 40, memory = 1e9, clones = 20 }))
		for now = 42, 1000 do after(now, { sessions = 1 }) end
		assert.equal(1, clones)
		assert.equal(4, after(1001, { sessions = 1, time = MONDAY_NINE }))
	end)

	it("controller scales itself, tells of it, and ends in order", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			local port = t.free_port()
			local p = t.spawn { "lua5.4", path_of "controller", tostring(port) }
			p:line("listens on 127.0.0.1:" .. port)
			assert.equal("clone 1\n", t.http { port = port, path = "/" }.body)
			p:line("users 1, clones 1: 1 session")
			for _ = 1, 2 do t.http { port = port, path = "/" } end
			p:line("ready +clone 2")
			assert.equal(0, (p:stop()))
			assert.matches("all is over\n$", p.stdout)
		end)
	end)
end)
