local fake_service = require "spec.support.fake_service"
local json = require "dkjson"

describe("commands:", function()
	local all, clock, platform, proxy, service

	local function start(given)
		all = fake_service.new(given)
		clock, platform, proxy, service = all.clock, all.platform, all.proxy, all.service
	end

	after_each(function() assert.same({}, all.errors) end)

	it("are answered when they fail", function()
		start()
		service.load = function() error "oops" end
		local answer, is_done = all:order { command = "reload" }
		assert.is_false(is_done)
		assert.matches("^reload failed: .*commands_spec.lua:%d+: oops", answer)
		assert.matches("oops", table.remove(all.errors))
	end)

	describe("when the policy is loaded again", function()
		it("goes by it, and remembers what it planned", function()
			start { plan = { down = { window = 60 } } }
			local users = all:arrive(3)
			clock.advance(0.01)
			all.file = { scale = function() return 0 end, plan = { down = { window = 60 } }, route = "least",
				clones = { max = 5 } }
			assert.same({ "the policy file was loaded again", true }, { all:order { command = "reload" } })
			assert.equal(2, service:report().wanted)
			assert.equal("down.window: 1 min", service:report().limit)
			assert.equal(5, service.fleet.plan.options.max)
			assert.equal("1 1 2", all:places(users))
			assert.equal("least", service.traffic.router.route.name)
			assert.equal("least", proxy.policy.route.name)
		end)

		it("stays with the old one where anything is wrong with it", function()
			start { clones = { min = 1 } }
			local old = service.policy
			for wrong, expected in pairs {
				["policy.lua:3: oops"] = "policy.lua:3: oops",
				[{ listn = 1 }] = 'unknown key "listn" %(did you mean "listen"%?%)',
				[{ listen = 9000 }] = "listen: cannot change while the service runs",
				[{ scale = function() error "broken" end }] = "commands_spec.lua:%d+: broken",
			} do
				all.file = wrong
				local answer, is_done = all:order { command = "reload" }
				assert.is_false(is_done)
				assert.matches(expected, answer)
				assert.equal(old, service.policy)
			end
			assert.equal(4, platform:count "reload")
		end)

		it("says that there is no file where there is none", function()
			start {}
			service.load = nil
			assert.matches("no policy file", (all:order { command = "reload" }))
		end)
	end)

	describe("held by an operator", function()
		it("neither makes nor ends clones when paused, until it is resumed", function()
			start {}
			all:arrive(2)
			clock.advance(0.01)
			all:order { command = "pause" }
			local users = all:arrive(2)
			clock.advance(5)
			assert.equal("1 1", all:places(users))
			assert.same({ 1 }, platform.operations)
			assert.equal("paused", service:report().held_at)
			assert.equal("paused by an operator", service:report().limit)
			platform:die(1)
			clock.advance(5)
			assert.same({ 1 }, platform.operations)
			all:order { command = "resume" }
			assert.same({ 1, 2 }, platform.operations)
			assert.is_nil(service:report().held_at)
		end)

		it("stays at a number", function()
			start {}
			assert.same({ "held at 3 clones", true }, { all:order { command = "scale", clones = 3 } })
			assert.equal(3, #service:report().clones)
			all:arrive(12)
			clock.advance(5)
			assert.equal(3, #service:report().clones)
			all:order { command = "resume" }
			assert.equal(6, #service:report().clones)
		end)

		it("does not go beyond clones.max, nor to nonsense", function()
			start { clones = { max = 4 } }
			for _, n in ipairs { 5, -1, 1.5, "two" } do
				local answer, is_done = all:order { command = "scale", clones = n }
				assert.is_false(is_done)
				assert.matches("^scale: ", answer)
			end
		end)
	end)

	describe("told to end a clone", function()
		it("drains it, and makes another where one is wanted", function()
			start {}
			local users = all:arrive(2)
			clock.advance(0.01)
			assert.matches("clone 1 is ended after its connections %(2%)",
				(all:order { command = "drain", vmid = 1 }))
			assert.same({ 1, 1 }, platform.operations)
			assert.same({}, platform.stopped)
			for _, user in ipairs(users) do user:done() end
			clock.advance(0.01)
			assert.same({ 1 }, platform.stopped)
			users[1]:request()
			assert.equal("2", all:places { users[1] })
			assert.equal(0, service:report().counters.died)
		end)

		it("drains no longer than drain_timeout", function()
			start { drain_timeout = 7 }
			all:arrive(1)
			clock.advance(0.01)
			all:order { command = "drain", vmid = 1 }
			clock.advance(6.5)
			assert.same({}, platform.stopped)
			clock.advance(1.5)
			assert.same({ 1 }, platform.stopped)
			assert.equal(1, platform:count "cut")
		end)

		it("kills it at once, which is no young death", function()
			start {}
			local users = all:arrive(2)
			clock.advance(0.01)
			assert.equal("clone 1 is killed", (all:order { command = "kill", vmid = 1 }))
			assert.same({ 1 }, platform.stopped)
			clock.advance(0.1)
			users[1]:fail(true)
			assert.equal("2", all:places { users[1] })
			assert.equal(0, service.fleet.plan.young_deaths)
		end)

		it("says that there is no such clone", function()
			start { clones = { min = 1 } }
			clock.advance(0.1)
			for vmid, expected in pairs {
				[7] = "there is no clone 7", [0] = "0 is the program", x = "number of a clone",
			} do
				for _, command in ipairs { "drain", "kill" } do
					local answer, is_done = all:order { command = command, vmid = vmid }
					assert.is_false(is_done)
					assert.matches(expected, answer)
				end
			end
			all:order { command = "drain", vmid = 1 }
		end)
	end)

	describe("when a trace is recorded", function()
		local function fetch(after)
			local answer, is_done = all:order { command = "trace", after = after }
			assert.is_true(is_done)
			return json.decode(answer)
		end

		it("gives a row for each time that the policy was asked", function()
			start { metrics = { jobs = {} } }
			platform.tell(0, "depth", 3)
			clock.advance(1.1)
			local first = fetch()
			assert.matches("^at,cause,sessions,connections,.*,my%.depth,my%.jobs$", first.columns)
			all:arrive(1)
			clock.advance(1)
			local got, causes = fetch(first.last), {}
			for cause in got.rows:gmatch "\n?[%d.]+,(%l+),1,1," do causes[#causes + 1] = cause end
			assert.same({ "arrival", "change", "change", "tick" }, causes)
			assert.equal(4, got.last - first.last)
			assert.matches(",1,1,[^\n]*,3.?0?,\n$", got.rows)
		end)
	end)
end)
