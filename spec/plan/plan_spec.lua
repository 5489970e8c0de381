local plan = require "gridcentric.plan"

describe("plan", function()
	local state

	before_each(function() state = plan.new { min = 0, max = 10 } end)

	local function step(desired, facts, now)
		local all = { ready = 0, planned = 0, starting = 0, can_clone = true }
		function all.victims() return {} end
		for key, value in pairs(facts or {}) do all[key] = value end
		return plan.step(state, now or 0, desired, all)
	end

	it("makes what is missing, counting what is on its way", function()
		local actions = step(5, { ready = 1, planned = 1, starting = 1 })
		assert.equal(2, actions.create)
		assert.is_false(actions.launch) -- not before those that are starting are there
		assert.is_true(step(5, { ready = 1 }).launch)
		assert.is_false(step(5, { ready = 5 }).launch)
		assert.is_true(step(5, { ready = 4, planned = 1 }).launch)
	end)

	it("stays within min and max, and says so", function()
		state = plan.new { min = 2, max = 4 }
		local low, high = step(0), step(9)
		assert.equal(2, low.create)
		assert.equal("at least 2", low.limit)
		assert.equal(4, high.create)
		assert.equal("at most 4", high.limit)
		assert.is_nil(step(3).limit)
	end)

	it("ends as many as are too many", function()
		local asked
		local function give(n)
			asked = n
			return { "victim" }
		end
		assert.same({ "victim" }, step(2, { ready = 4, victims = give }).retire)
		assert.equal(2, asked)
		step(2, { ready = 1, planned = 2, starting = 3, victims = give })
		assert.equal(4, asked)
	end)

	it("does not look for clones to end unless some are too many", function()
		step(4, { ready = 4, victims = function() error "asked" end })
	end)

	it("plans without a program only where there is nothing else to go to", function()
		local waiting = step(3, { can_clone = false })
		assert.equal(3, waiting.create)
		assert.is_false(waiting.launch)
		local served = step(3, { can_clone = false, ready = 1, planned = 1 })
		assert.equal(0, served.create)
		assert.is_true(served.drop)
	end)

	it("waits longer after each refusal, at most 30 s, until clones are made", function()
		local now = 0
		for _, gap in ipairs { 1, 2, 4, 8, 16, 30, 30 } do
			plan.refused(state, now, "no room")
			assert.is_false(step(1, {}, now + gap - 0.01).launch)
			assert.equal(("no room: next try in %g s"):format(gap), step(1, {}, now).limit)
			now = now + gap
			assert.is_true(step(1, {}, now).launch)
		end
		plan.granted(state)
		plan.refused(state, now, "no room")
		assert.is_true(step(1, {}, now + 1).launch)
	end)

	it("waits longer after each young death, and stops after the fifth", function()
		local now = 0
		for _, gap in ipairs { 1, 2, 4, 8 } do
			assert.is_nil(plan.died(state, now, 0.1))
			assert.is_false(step(1, {}, now + gap - 0.01).launch)
			now = now + gap
			assert.is_true(step(1, {}, now).launch)
		end
		assert.equal("5 clones died young: no more are made", plan.died(state, now, 0.1))
		assert.is_nil(plan.died(state, now, 0.1)) -- told once
		assert.is_false(step(1, {}, now + 1e6).launch)
	end)

	it("goes on after a clone has proved itself, or a reset", function()
		for _ = 1, 5 do plan.died(state, 0, 1) end
		plan.survived(state)
		assert.is_true(step(1, {}, 100).launch)
		for _ = 1, 5 do plan.died(state, 100, 1) end
		plan.reset(state)
		assert.is_true(step(1, {}, 100).launch)
	end)

	it("takes the death of a grown clone as it comes", function()
		assert.is_nil(plan.died(state, 0, 5))
		assert.is_true(step(1, {}, 0).launch)
		assert.is_false(plan.is_grown(4.9))
		assert.is_true(plan.is_grown(5))
	end)

	describe("held by an operator", function()
		it("does nothing at all when paused, whatever is desired", function()
			step(3, { ready = 3 })
			plan.hold(state, "paused")
			for desired, facts in pairs {
				[9] = { ready = 3, planned = 1 },
				[0] = { ready = 3, victims = function() error "asked" end },
			} do
				local actions = step(desired, facts)
				assert.same({ wanted = 3, limit = "paused by an operator", create = 0, drop = false,
					retire = {}, launch = false }, actions)
			end
			plan.hold(state, nil)
			assert.equal(6, step(9, { ready = 3 }).create)
		end)

		it("stays at a number, also below min, until it is let go", function()
			state = plan.new { min = 2, max = 4 }
			plan.hold(state, 1)
			local actions = step(4, { ready = 0 })
			assert.equal(1, actions.wanted)
			assert.equal("held at 1 by an operator", actions.limit)
			plan.hold(state, nil)
			assert.equal(4, step(4).wanted)
		end)

		it("stays within max when that becomes less", function()
			plan.hold(state, 8)
			plan.configure(state, { min = 0, max = 5 })
			assert.equal(5, step(0).wanted)
		end)
	end)

	it("forgets nothing when it is configured anew", function()
		plan.died(state, 0, 0.1)
		step(7, { ready = 7 })
		plan.configure(state, { min = 0, max = 9, down = { cooldown = 0, window = 60, period = 60 } })
		assert.equal(7, step(1, { ready = 7 }, 10).wanted)
		assert.equal(1, state.young_deaths)
	end)
end)
