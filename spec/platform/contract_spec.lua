-- All platforms keep one contract: contract.lua.
-- limit: 60 s

local async = require "spec.support.async"
local contract = require "spec.platform.contract"
local fake_clock = require "spec.support.fake_clock"
local fake_platform = require "spec.support.fake_platform"
local model = require "gridcentric.replay.platform"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local virtual = require "gridcentric.replay.clock"

-- Lets time of a clock pass, up to a minute of it.
local function waiter(clock, advance)
	return function(predicate, what)
		for _ = 1, 6000 do
			if predicate() then return end
			advance(clock)
		end
		error("did not come: " .. what)
	end
end

describe("the platform of replay", function()
	for _, case in ipairs(contract) do
		it(case.title, function()
			local clock, now = virtual.new(0), 0
			local subject = model.new(clock, { clone_s = 0.1, denial = case.denied and 1 or 0, seed = 1 })
			case.check { platform = subject, wait = waiter(clock, function()
				now = now + 0.01
				clock.advance(now)
			end) }
		end)
	end
end)

describe("the platform of the specs", function()
	for _, case in ipairs(contract) do
		it(case.title, function()
			local clock = fake_clock.new()
			local subject = fake_platform.new { clock = clock }
			if case.denied then subject.answers = { { err = "no room", code = "GC_EDENIED" } } end
			case.check { platform = subject, wait = waiter(clock, function() clock.advance(0.01) end) }
		end)
	end

	it("also has clones that start and fail", function()
		local clock, seen = fake_clock.new(), {}
		local subject = fake_platform.new { clock = clock }
		subject:subscribe(function(vmid, state) seen[#seen + 1] = vmid .. " " .. state end)
		subject.answers = { { made = 1, failed = 1, err = "broken", code = "GC_EDIED" } }
		subject:clone(2, function(vmids) seen[#seen + 1] = #vmids .. " made" end)
		clock.advance(1)
		assert.same({ "1 starting", "2 starting", "1 ready", "2 failed", "1 made" }, seen)
	end)
end)

describe("the platform of programs outside", function()
	if puppet.missing then
		return it("keeps it", function() pending(puppet.missing) end)
	end

	for i, case in ipairs(contract) do
		it(case.title, function()
			async.run(function(t)
				local process = t.spawn { "lua5.4", paths.scripts .. "/platform_contract.lua", tostring(i),
					paths.scripts .. "/puppet.lua", tostring(t.free_port()),
					env = { GRIDCENTRIC_CPUS = case.denied and "2" or nil } }
				process:wait()
				assert.matches("contract: ok\n", process.stdout, process:describe())
			end, { timeout_ms = 30000 })
		end)
	end
end)
