-- What all ready policies and combinators have in common.

local policy = require "gridcentric.config.load"
local support = require "spec.support.policy"
local tmp = require "spec.support.tmp"

-- One use of each in a policy file; more than a policy file has is an error of its own.
local USES = {
	budget = [[budget { cpus = 4, private_memory = "1 GB" }]],
	clamp = [[clamp { max = 3, ratio {} }]],
	during = [[during { when = "* * * * *", ratio {} }]],
	first_of = [[first_of { target { metric = "my.none", value = 1 }, ratio {} }]],
	max_of = [[max_of { ratio {}, 2 }]],
	min_of = [[min_of { ratio {}, 2 }]],
	ratio = [[ratio {}]],
	rules = "rules [[up 1 when p95(cpu, 1m) > 80% for 3s\ndown 1 when time in 'Mon' for 3s]]",
	schedule = [[schedule { { when = "Mon-Fri 08:00-18:00", clones = 4 }, default = 1 }]],
	step = [[step { metric = "sessions", { 1, 1 }, { 10, 2 } }]],
	target = [[target { metric = "cpu", value = "60%" }]],
}

describe("a ready policy", function()
	local dir

	setup(function() dir = tmp.new() end)
	teardown(function() tmp.remove(dir) end)

	local function load(scale)
		local path = dir .. "/policy.lua"
		for name, text in pairs {
			["server.lua"] = "",
			["policy.lua"] = ('return { app = { script = "server.lua" }, scale = %s }'):format(scale),
		} do
			local file = assert(io.open(dir .. "/" .. name, "w"))
			file:write(text)
			file:close()
		end
		return policy.load(path)
	end

	-- Calls fn in a world that has neither clock nor dice.
	local function timeless(fn)
		local saved = { time = os.time, clock = os.clock, date = os.date, random = math.random }
		local function forbidden() error("a policy looked at a clock, or rolled dice", 2) end
		os.time, os.clock, math.random = forbidden, forbidden, forbidden -- luacheck: ignore 122
		os.date = function(format, time) -- luacheck: ignore 122
			return saved.date(format, time or forbidden())
		end
		local ok, err = pcall(fn)
		os.time, os.clock, os.date = saved.time, saved.clock, saved.date -- luacheck: ignore 122
		math.random = saved.random -- luacheck: ignore 122
		assert(ok, err)
	end

	for name, use in pairs(USES) do
		it(name .. " is known in policy files, and pure", function()
			local p = assert(load(use))
			local function play()
				local state, decisions = {}, {}
				for i = 1, 200 do
					local desired, reason, code = p.scale(i * 0.7, support.sample {
						sessions = i % 17, connections = i % 23, clones = i % 5, cpu = i % 11 / 10,
						time = i * 3600, heap = 1e8, memory_per_clone = i * 1e6,
					}, state)
					decisions[i] = ("%s %s %s"):format(desired, reason, code)
				end
				return decisions
			end
			timeless(function() assert.same(play(), play()) end)
		end)

		it(name .. " has to be called", function()
			local p, err = load(name)
			assert.is_nil(p)
			assert.matches(("scale: options are missing: %s { ... }"):format(name), err, 1, true)
		end)
	end

	it("that is wrong is told with the file, the line, and the place in the text", function()
		local _, err = load "rules [[\tup 1 when conections > 2]]"
		assert.equal(dir .. '/policy.lua:1: rules: line 1, column 12: unknown metric "conections" '
			.. '(did you mean "connections"? The program\'s own are my.NAME)\n'
			.. "\t\tup 1 when conections > 2\n"
			.. "\t\t          ^", err)
	end)
end)
