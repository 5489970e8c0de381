local policy = require "gridcentric.config.load"
local played_service = require "spec.support.played_service"
local crowd = require "gridcentric.replay.crowd"

describe("shadow", function()
	local c, clock, users, told

	local function shadow_of(given)
		local o = { app = { script = "-" } }
		for key, value in pairs(given) do o[key] = value end
		local p = assert(policy.check(o))
		p.name = "other"
		return p
	end

	local function start(shadow, given)
		c, clock = played_service.new(given, shadow_of(shadow))
		users = crowd.new(c.proxy, c.traffic, false)
		told = {}
		function c.log.event(what, _, text)
			if what == "shadow" then told[#told + 1] = text end
		end
	end

	local function become(n, seconds)
		users:become(n, n)
		for _ = 1, seconds or 1 do
			clock.advance(clock.now() + 1)
			c:tick()
		end
		clock.advance(clock.now() + 0.1)
	end

	local function per_clone(n)
		return { scale = function(_, sample)
			return sample.sessions / n, ("%d per clone"):format(n)
		end }
	end

	it("is asked by the same samples, and changes nothing", function()
		start(per_clone(1))
		become(4)
		assert.equal(2, #c.fleet.pool.ready)
		local report = c:report().shadow
		assert.equal("other", report.name)
		assert.equal(4, report.wanted)
		assert.is_true(report.differs)
		assert.equal(1, report.differences)
		assert.same({ wanted = 4, instead_of = 2, reason = "1 per clone" },
			{ wanted = report.last.wanted, instead_of = report.last.instead_of,
				reason = report.last.reason })
	end)

	it("tells where it begins to differ, otherwise, and no longer", function()
		start(per_clone(4))
		become(2)
		become(4)
		become(4, 5)
		become(20)
		become(2)
		assert.same({
			"shadow other: 1 clone instead of 2: 4 per clone",
			"shadow other: 5 clones instead of 10: 4 per clone",
			"shadow other: wants 1 clone as well",
		}, told)
		assert.equal(1, c:report().shadow.differences)
		assert.is_false(c:report().shadow.differs)
	end)

	it("has a plan of its own", function()
		local shadow = per_clone(2)
		shadow.plan = { up = { most = 1, period = 10 } }
		start(shadow)
		become(6)
		local report = c:report().shadow
		assert.equal(3, report.desired)
		assert.equal(1, report.wanted)
		assert.equal("up.most: 1 in 10 s", report.limit)
		assert.equal(3, c.decisions.wanted)
		become(6, 25)
		assert.is_false(c:report().shadow.differs)
	end)

	it("has a state of its own", function()
		local function count(_, _, state)
			state.n = (state.n or 0) + 1
			return state.n % 7
		end
		start({ scale = count }, { scale = count })
		become(1, 30)
		assert.is_false(c:report().shadow.differs)
	end)

	it("harms nobody when it fails, calls no hooks", function()
		start({
			scale = function() error "oops" end,
			on_clone = function() error "called" end, on_event = function() error "called" end,
		})
		become(4)
		assert.equal(2, #c.fleet.pool.ready)
		assert.matches("oops", c:report().shadow.policy_error)
		assert.is_nil(c:report().policy_error)
	end)

	it("goes with the policy that named it", function()
		start(per_clone(1))
		local new = shadow_of(per_clone(3))
		c:use(new)
		assert.is_nil(c.shadow)
		assert.is_nil(c:report().shadow)
	end)
end)
