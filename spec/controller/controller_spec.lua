local fake_platform = require "spec.support.fake_platform"
local fake_service = require "spec.support.fake_service"
local json = require "dkjson"

describe("controller", function()
	local all, clock, platform, proxy, service

	local function start(given)
		all = fake_service.new(given, platform)
		clock, platform, proxy, service = all.clock, all.platform, all.proxy, all.service
	end

	local function arrive(n) return all:arrive(n) end
	local function places(users) return all:places(users) end

	before_each(function() platform = nil end)
	after_each(function() assert.same({}, all.errors) end)

	describe("when users arrive", function()
		it("sends five of the same instant to clones 1 1 2 2 3, made by one operation", function()
			start()
			local users = arrive(5)
			assert.equal("- - - - -", places(users))
			clock.advance(0.01)
			assert.equal("1 1 2 2 3", places(users))
			assert.same({ 3 }, platform.operations)
			assert.equal(1, platform:count "decision")
		end)

		it("sends five that come one by one to the same places", function()
			start()
			local users = {}
			for i = 1, 5 do
				users[i] = proxy:client()
				users[i]:request()
				clock.advance(0.5)
			end
			assert.equal("1 1 2 2 3", places(users))
			assert.same({ 1, 1, 1 }, platform.operations)
		end)

		it("makes what is needed during an operation by the next one, all at once", function()
			start()
			local users = arrive(1)
			clock.advance(0.001)
			for _, user in ipairs(arrive(4)) do users[#users + 1] = user end
			clock.advance(0.001)
			assert.same({ 1 }, platform.operations)
			assert.equal(1, platform.under_way)
			clock.advance(0.01)
			assert.same({ 1, 2 }, platform.operations)
			assert.equal("1 1 2 2 3", places(users))
		end)

		it("has them wait for the program", function()
			platform = fake_platform.new {}
			platform.start_s = 3
			start()
			local users = arrive(3)
			clock.advance(2)
			assert.equal("- - -", places(users))
			clock.advance(1.1)
			assert.equal("1 1 2", places(users))
		end)

		it("keeps a user on its clone through new connections", function()
			start()
			local users = arrive(3)
			clock.advance(0.01)
			users[1]:done()
			users[1]:close()
			clock.advance(9)
			users[1]:request()
			assert.equal("1 1 2", places(users))
			assert.equal(3, service:report().sessions)
		end)

		it("never makes more than max", function()
			start { clones = { max = 2 } }
			local users = arrive(9)
			clock.advance(0.01)
			assert.equal("1 1 2 2 1 2 1 2 1", places(users))
			assert.equal("at most 2", service:report().limit)
		end)

		it("fills the least used clone when there can be no more", function()
			local clamp, ratio = require "gridcentric.policy.clamp", require "gridcentric.policy.ratio"
			local min_of, rules = require "gridcentric.policy.min_of", require "gridcentric.policy.rules"
			for name, given in pairs {
				max = { clones = { max = 4 } },
				clamp = { scale = clamp { max = 4, ratio {} } },
				min_of = { scale = min_of { ratio {}, 4 } },
				rules = { scale = rules "to sessions / 2 always\nat most 4 always" },
				limits = { scale = min_of { ratio {}, rules "at most 4 always" } },
				pace = { plan = { up = { most = 4, period = 600 } } },
			} do
				start(given)
				arrive(1)
				clock.advance(0.01)
				arrive(39)
				clock.advance(0.01)
				local sessions = {}
				for i, clone in ipairs(service:report().clones) do sessions[i] = clone.sessions end
				assert.same({ 10, 10, 10, 10 }, sessions, name)
			end
		end)

		it("get a first clone whatever the metrics say that only clones report", function()
			local target, step = require "gridcentric.policy.target", require "gridcentric.policy.step"
			local rules = require "gridcentric.policy.rules"
			for name, scale in pairs {
				target = target { metric = "my.load", value = 10 },
				step = step { metric = "my.load", { 1, 1 } },
				rules = rules "up 1 when cpu > 80%\ndown 1 when cpu < 10%",
				own = function() return 0 end,
			} do
				platform = nil
				start { scale = scale, drain = true }
				clock.advance(3)
				assert.equal(0, service.decisions.wanted, name)
				local users = arrive(2)
				clock.advance(0.01)
				assert.equal("1 1", places(users), name)
				clock.advance(20) -- and it stays as long as they do
				assert.equal(1, #service:report().clones, name)
				assert.matches("first clone", service:report().limit or "", name)
			end
			start { scale = function() return 0 end, clones = { max = 0 } }
			arrive(1)
			clock.advance(1)
			assert.equal(0, service.decisions.wanted)
		end)

		it("keeps min clones without any", function()
			start { clones = { min = 2 } }
			clock.advance(0.01)
			assert.equal(2, #service:report().clones)
		end)

		it("counts connections where the policy does", function()
			start { mode = "tcp" }
			local users = {}
			for i = 1, 5 do
				users[i] = proxy:client()
				users[i]:connect()
			end
			clock.advance(0.01)
			assert.equal("1 1 2 2 3", places(users))
			assert.equal(5, service:report().connections)
		end)
	end)

	describe("when users wait", function()
		it("refuses who waits longer than held.timeout", function()
			platform = fake_platform.new {}
			platform.clone_s = 100
			start { held = { timeout = 5 } }
			local users = arrive(1)
			clock.advance(4)
			assert.is_nil(users[1].refused)
			clock.advance(2.1)
			assert.equal(503, users[1].refused)
			assert.equal(0, service:report().held)
		end)

		it("refuses those beyond held.max at once", function()
			start { held = { max = 2 } }
			local users = arrive(3)
			assert.is_nil(users[2].refused)
			assert.equal(503, users[3].refused)
		end)

		it("forgets who gives up", function()
			start()
			local users = arrive(2)
			users[1]:close()
			clock.advance(0.01)
			assert.equal("- 1", places(users))
			assert.equal(1, service:report().clones[1].connections)
		end)
	end)

	describe("when clones cannot be made", function()
		it("has users keep their places, and tries again with growing gaps", function()
			start { held = { timeout = 60 } }
			platform.answers = { { err = "no room" }, { err = "no room" }, { err = "no room" } }
			local users = arrive(5)
			clock.advance(0.9)
			assert.same({ 3 }, platform.operations)
			clock.advance(1.2) -- a gap of 1 s, seen by the next tick
			assert.same({ 3, 3 }, platform.operations)
			clock.advance(1.8)
			assert.same({ 3, 3 }, platform.operations)
			clock.advance(1.2)
			assert.same({ 3, 3, 3 }, platform.operations)
			clock.advance(6)
			assert.equal("1 1 2 2 3", places(users))
			assert.equal(9, service:report().counters.failed)
		end)

		it("sends them to those that were made", function()
			start()
			platform.answers = { { made = 1, err = "no room" } }
			local users = arrive(5)
			clock.advance(0.01)
			assert.equal("1 1 1 1 1", places(users))
			assert.matches("no room: next try in", service:report().limit)
		end)

		it("sends who comes meanwhile to a clone that is there", function()
			start()
			local users = arrive(2)
			clock.advance(0.01)
			platform.answers = { { err = "no room" } }
			users[3], users[4] = arrive(1)[1], arrive(1)[1]
			clock.advance(0.01)
			users[5] = arrive(1)[1]
			assert.equal("1 1 1 1 1", places(users))
		end)
	end)

	describe("when a clone dies", function()
		it("tells its status, makes another and serves its users there", function()
			start()
			local users = arrive(3)
			clock.advance(60)
			users[3]:close()
			platform:die(2, { status = 3 })
			assert.equal(1, #service:report().clones - 1) -- one is on its way
			users[3]:request()
			clock.advance(0.01)
			assert.equal("1 1 3", places(users))
			local text
			for _, event in ipairs(platform.events) do
				if event.what == "died" then text = event.text end
			end
			assert.matches("^clone 2 died after 1 min: exit status 3$", text)
		end)

		it("makes none any more after five young deaths, and says so once", function()
			start { clones = { min = 1 } }
			for _ = 1, 60 do
				clock.advance(1)
				local clones = service.fleet.pool.ready
				if clones[1] then platform:die(clones[1].vmid, { status = 1 }) end
			end
			assert.equal(5, service:report().counters.made)
			assert.equal(1, platform:count "stopped")
			assert.equal("5 clones died young: no more are made", service:report().limit)
		end)

		it("waits longer after each young death", function()
			start { clones = { min = 1 } }
			local times = {}
			while #times < 5 do
				clock.advance(0.1)
				local clone = service.fleet.pool.ready[1]
				if clone then
					times[#times + 1] = clock.now()
					platform:die(clone.vmid, { status = 1 })
				end
			end
			for i = 2, 5 do
				local gap = times[i] - times[i - 1]
				assert.is_true(gap >= 2 ^ (i - 2) and gap < 2 ^ (i - 2) + 1.2)
			end
		end)

		it("forgets young deaths when a clone proves itself", function()
			start { clones = { min = 1 } }
			clock.advance(1)
			platform:die(1, { status = 1 })
			clock.advance(10)
			assert.equal(0, service.fleet.plan.young_deaths)
		end)

		it("sends a repeatable request to another clone", function()
			start()
			local users = arrive(3)
			clock.advance(0.01)
			users[1]:fail(true)
			assert.equal("2 1 2", places(users))
		end)

		it("has a repeatable request wait for the next clone where there is no other", function()
			start()
			local users = arrive(1)
			clock.advance(10)
			users[1]:fail(true)
			assert.equal("-", places(users))
			platform:die(1)
			clock.advance(0.01)
			assert.equal("2", places(users))
			assert.is_nil(users[1].refused)
		end)

		it("answers 502 where the request may not be repeated, 504 after a timeout", function()
			start()
			local users = arrive(2)
			clock.advance(0.01)
			users[1]:fail(false)
			users[2]:fail(false, "ETIMEDOUT")
			assert.equal(502, users[1].refused)
			assert.equal(504, users[2].refused)
		end)

		it("gives a request up after three tries", function()
			start()
			local users = arrive(1)
			clock.advance(0.01)
			for _ = 1, 3 do
				users[1]:fail(true)
				clock.advance(1)
			end
			assert.equal(502, users[1].refused)
		end)
	end)

	describe("when users leave", function()
		it("ends a clone beyond need that nobody uses, once its sessions have ended", function()
			start { session_timeout = 60 }
			local users = arrive(3)
			clock.advance(1)
			users[3]:request() -- its cookie is known now
			users[3]:done()
			users[3]:close()
			clock.advance(58)
			assert.same({}, platform.stopped)
			clock.advance(4)
			assert.same({ 2 }, platform.stopped)
			assert.equal(1, #service:report().clones)
			assert.equal(0, service:report().counters.died)
		end)

		it("counts those whose cookie never came back for cookieless_timeout only", function()
			start()
			local user = proxy:client { keeps_cookies = false }
			user:request()
			clock.advance(0.01)
			user:close()
			clock.advance(8)
			assert.same({}, platform.stopped)
			clock.advance(4)
			assert.same({ 1 }, platform.stopped)
		end)

		it("ends none that has a connection", function()
			start()
			local users = arrive(4)
			clock.advance(0.01)
			users[1]:request()
			users[2]:request()
			users[1]:close()
			users[2]:close()
			clock.advance(70)
			assert.same({ 1 }, platform.stopped)
			users[3]:close()
			clock.advance(70)
			assert.same({ 1 }, platform.stopped)
		end)
	end)

	describe("when the policy is broken", function()
		it("keeps its last word, counts, and tells each place once", function()
			local broken = false
			start { scale = function(now, sample)
				if broken then error("oops") end
				return sample.sessions
			end }
			arrive(2)
			clock.advance(1)
			broken = true
			arrive(3)
			clock.advance(1)
			local report = service:report()
			assert.equal(2, report.desired)
			assert.equal(2, #report.clones)
			assert.matches("controller_spec.lua:%d+: oops", report.policy_error)
			assert.is_true(report.counters.policy_errors >= 3)
			assert.equal(1, platform:count "policy")
			broken = false
			clock.advance(1)
			assert.is_nil(service:report().policy_error)
		end)
	end)

	describe("when a metric is missing", function()
		local function lacking(on_missing)
			start {
				on_missing = on_missing, clones = { min = 1, max = 3 },
				scale = function(now, sample)
					local queue = sample.my.queue
					if not queue then return nil, "metric my.queue is missing", "MISSING" end
					return queue / 10
				end,
			}
		end

		it("holds, tells it once, and goes by the metric when it is there", function()
			lacking()
			clock.advance(5)
			assert.is_nil(service:report().missing)
			assert.equal("metric my.queue is missing", service:report().reason)
			clock.advance(10)
			assert.equal("metric my.queue is missing", service:report().missing)
			assert.equal(1, platform:count "metric")
			platform.tell(1, "queue", 20)
			clock.advance(1.1)
			local report = service:report()
			assert.is_nil(report.missing)
			assert.equal(2, report.desired)
			assert.same({ queue = 20 }, report.load.my)
		end)

		it("does what on_missing says, once there was time to measure it", function()
			lacking "max"
			clock.advance(9)
			assert.equal(1, service:report().desired)
			clock.advance(2)
			assert.equal(3, service:report().desired)
		end)

		it("is so when all who told it have ended", function()
			lacking()
			clock.advance(20)
			platform.tell(1, "queue", 20)
			clock.advance(2)
			platform:die(1)
			clock.advance(2)
			assert.equal("metric my.queue is missing", service:report().missing)
			platform.tell(2, "queue", 1)
			platform.tell(0, "queue", 1)
			clock.advance(1)
			assert.is_nil(service:report().missing)
			platform.lose("killed")
			clock.advance(1)
			assert.is_string(service:report().missing)
		end)
	end)

	describe("when the program ends", function()
		it("keeps its clones and starts it anew", function()
			start()
			local users = arrive(2)
			clock.advance(20)
			platform:die(0, { status = 1 })
			users[3] = arrive(1)[1]
			assert.equal("1 1 1", places(users))
			clock.advance(2)
			assert.equal(2, platform.starts)
			users[4] = arrive(1)[1]
			clock.advance(0.1)
			assert.equal("1 1 1 2", places(users))
		end)

		it("gives up a program that does not listen within start_timeout", function()
			platform = fake_platform.new {}
			platform.start_s = 100
			start { app = { script = "server.lua", start_timeout = 3 } }
			clock.advance(3.1)
			assert.same({ nil, "it does not listen on port 8001 after 3 s" }, all.started)
			assert.same({ 0 }, platform.stopped)
		end)

		it("tries with growing gaps while it cannot be started", function()
			start()
			clock.advance(20)
			platform.start_err = "no such file"
			platform:die(0, { status = 1 })
			clock.advance(8)
			assert.equal(4, platform.starts)
			platform.start_err = nil
			clock.advance(8)
			assert.equal(5, platform.starts)
		end)
	end)

	describe("when it is to end", function()
		it("ends at once without connections", function()
			start()
			local ended = false
			service:shutdown(function() ended = true end)
			assert.is_true(ended and proxy.closed and not proxy.listening)
			assert.equal(5000, platform.closed_with)
		end)

		it("serves those who are connected once more, and waits for them", function()
			start()
			local users = arrive(2)
			clock.advance(0.01)
			users[1]:done()
			local ended = false
			service:shutdown(function() ended = true end)
			users[2]:done()
			proxy:turn()
			assert.is_nil(users[2].conn)
			assert.is_false(ended)
			users[1]:request()
			users[1]:done()
			proxy:turn()
			assert.is_nil(users[1].conn)
			assert.is_true(ended)
		end)

		it("does not start the program anew", function()
			start()
			arrive(1)
			clock.advance(0.01)
			service:shutdown(function() end)
			platform:die(0)
			clock.advance(20)
			assert.equal(1, platform.starts)
		end)

		it("refuses those who wait for a clone that will not be made", function()
			start()
			local users = arrive(1)
			service:shutdown(function() end)
			assert.equal(503, users[1].refused)
		end)

		it("refuses at once who asks when their clone has died", function()
			start { clones = { max = 1 } }
			local users = arrive(2)
			clock.advance(0.01)
			service:shutdown(function() end)
			platform:die(1)
			users[1]:fail(true)
			users[2]:request()
			assert.same({ 503, 503 }, { users[1].refused, users[2].refused })
		end)

		it("serves those who wait for a clone that is being made", function()
			start()
			local users = arrive(1)
			clock.advance(0)
			service:shutdown(function() end)
			clock.advance(0.01)
			assert.equal("1", places(users))
		end)

		it("waits no longer than drain_timeout", function()
			start { drain_timeout = 7 }
			arrive(1)
			clock.advance(0.01)
			local ended = false
			service:shutdown(function() ended = true end)
			clock.advance(6.9)
			assert.is_false(ended)
			clock.advance(0.2)
			assert.is_true(ended)
		end)

		it("ends at once when asked twice", function()
			start()
			arrive(1)
			clock.advance(0.01)
			local ended = 0
			service:shutdown(function() ended = ended + 1 end)
			service:shutdown(function() end)
			service:shutdown(function() end)
			assert.equal(1, ended)
			assert.equal(0, platform.closed_with)
		end)
	end)

	it("begins anew when the engine is lost", function()
		start { clones = { min = 2 } }
		clock.advance(10)
		platform.lose("killed by signal 9")
		assert.equal(0, #service.fleet.pool.ready)
		clock.advance(10)
		assert.equal(2, platform.starts)
		assert.equal(2, #service.fleet.pool.ready)
		assert.equal(2, platform:count "died")
		assert.equal(0, service.fleet.plan.young_deaths)
	end)

	it("does nothing any more after abandon()", function()
		start { clones = { min = 1 } }
		clock.advance(0.01)
		service:abandon()
		platform:die(1)
		platform.lose("killed")
		clock.advance(10)
		assert.same({ 1 }, platform.operations)
		assert.equal(0, platform:count "died")
	end)

	it("has nothing to end after abandon()", function()
		start()
		service:abandon()
		local ended = 0
		for _ = 1, 2 do service:shutdown(function() ended = ended + 1 end) end
		clock.advance(0)
		assert.equal(2, ended)
		assert.is_nil(platform.closed_with)
	end)

	it("takes those out that the platform has not listed twice", function()
		start()
		arrive(2)
		clock.advance(0.01)
		service.fleet:reconcile {}
		assert.equal(1, #service.fleet.pool.ready)
		service.fleet:reconcile {}
		assert.equal(0, #service.fleet.pool.ready)
	end)

	it("asks for the list of domains again when it has the last one", function()
		start()
		local asked, answer = 0, nil
		function service.list_domains(callback) asked, answer = asked + 1, callback end
		clock.advance(5)
		assert.equal(1, asked)
		answer(nil, "the engine is lost")
		clock.advance(1)
		assert.equal(2, asked)
	end)

	it("answers status", function()
		start()
		arrive(1)
		clock.advance(0.01)
		local answer
		platform.command({ command = "status" }, function(ok, text)
			answer = ok and json.decode(text)
		end)
		assert.equal("127.64.0.1:8001", answer.clones[1].address)
		assert.equal("1 session, 2 per clone", answer.reason)
		local wrong
		platform.command({ command = "dance" }, function(ok, text) wrong = not ok and text end)
		assert.matches("dance", wrong)
	end)

	describe("with a policy that drains", function()
		-- Four users on two clones, of whom those on the second leave.
		local function shrink(given)
			given.drain, given.scale = true, function(_, sample) return sample.connections > 3 and 2 or 1 end
			given.route = "least"
			start(given)
			local users = arrive(1)
			clock.advance(0.01)
			users[2], users[3], users[4] = table.unpack(arrive(3))
			clock.advance(0.01)
			for _, user in ipairs(users) do user:done() end
			return users
		end

		it("ends the clone with the fewest users, whose sessions move", function()
			local users = shrink {}
			assert.equal("1 1 1 1", places(users))
			clock.advance(1)
			local other = arrive(2)
			assert.equal("2 2", places(other))
			other[1]:close()
			users[1]:close()
			users[2]:close()
			other[2]:done()
			clock.advance(1)
			assert.same({ 2 }, platform.stopped)
			other[2]:request()
			assert.equal("1", places { other[2] })
		end)

		it("ends the one that the policy chooses", function()
			local offered
			local users = shrink { victim = function(clones)
				offered = #clones
				return clones[1].vmid == 1 and clones[1] or clones[2]
			end }
			users[1]:close()
			clock.advance(1)
			assert.equal(2, offered)
			assert.same({ 1 }, platform.stopped)
		end)

		it("ends the default one where the choice fails", function()
			for _, nonsense in ipairs { function() error "oops" end, function() return 7 end } do
				platform = nil
				local users = shrink { victim = nonsense }
				users[1]:close()
				clock.advance(1)
				assert.same({ 2 }, platform.stopped)
				assert.equal(1, platform:count "policy")
			end
		end)

		it("ends none where the policy chooses none", function()
			local users = shrink { victim = function() end }
			users[1]:close()
			clock.advance(3)
			assert.same({}, platform.stopped)
		end)
	end)

	it("sends the next two sessions to a third clone when two have four", function()
		start { route = "least", scale = function(_, sample) return sample.sessions < 4 and 2 or 3 end }
		arrive(0)
		clock.advance(0.01)
		clock.advance(1)
		local users = {}
		for i = 1, 4 do
			users[i] = proxy:client()
			users[i]:request()
			clock.advance(0.1)
		end
		assert.equal("1 2 1 2", places(users))
		clock.advance(0.1)
		for _ = 1, 2 do users[#users + 1] = arrive(1)[1] end
		assert.equal("1 2 1 2 3 3", places(users))
	end)

	it("tells the policy of clones and events", function()
		local ready, seen = {}, {}
		start {
			on_clone = function(vmid) ready[#ready + 1] = vmid end,
			on_event = function(event) seen[event.what] = event end,
		}
		platform.answers = { { made = 1, err = "no room", code = "GC_EDENIED" } }
		arrive(5)
		clock.advance(0.01)
		assert.same({ 1 }, ready)
		local details = seen.denied.details
		assert.same({ 3, 1, "GC_EDENIED" }, { details.wanted, details.made, details.code })
		assert.equal(1, seen.ready.vmid)
		assert.equal(2, service.sample().denied)
		clock.advance(2)
		assert.equal(0, service.sample().denied)
	end)

	it("ejects a clone that fails, and sends its users to others", function()
		start { clones = { min = 2 }, route = "least", health = { failures = 3, eject_time = 10 } }
		clock.advance(1)
		local users = arrive(2)
		assert.equal("1 2", places(users))
		for _ = 1, 3 do
			users[1]:request()
			if users[1].at then users[1]:fail(false, "ETIMEDOUT") end
		end
		local report = service:report()
		assert.equal("ejected", report.clones[1].state)
		assert.equal(2, #report.clones)
		users[1]:request()
		assert.equal("2 2", places(users))
		clock.advance(11)
		assert.equal(0, #service.fleet.pool.ejected)
	end)
end)
