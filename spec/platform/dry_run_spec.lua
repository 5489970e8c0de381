local crowd = require "gridcentric.replay.crowd"
local dry_run = require "gridcentric.platform.dry_run"
local played_service = require "spec.support.played_service"
local policy = require "gridcentric.config.load"

describe("dry_run", function()
	local function check(given)
		local o = { name = "shop", app = { script = "-" } }
		for key, value in pairs(given) do o[key] = value end
		return assert(policy.check(o))
	end

	local c, clock, users, told

	local function start(given)
		told = {}
		c, clock = played_service.of(dry_run.of(check(given)))
		function c.log.event(what, _, text)
			if what == "shadow" then told[#told + 1] = text end
		end
		users = crowd.new(c.proxy, c.traffic, false)
	end

	local function become(n, seconds)
		users:become(n, n)
		for _ = 1, seconds or 1 do
			clock.advance(clock.now() + 1)
			c:tick()
		end
		clock.advance(clock.now() + 0.1)
	end

	it("serves with one clone, or clones.min, at any load", function()
		start {}
		become(40)
		become(0)
		assert.equal(1, c.platform.made)
		assert.equal(0, c.platform.ended)
		assert.equal(0, c.traffic.counters.refused)
		start { clones = { min = 3 } }
		become(40)
		assert.equal(3, c.platform.made)
	end)

	it("reports what the policy would do, by its own plan", function()
		start { plan = { down = { cooldown = 10 } }, clones = { max = 5 } }
		become(4)
		become(40)
		become(2, 12)
		assert.same({
			"would go from 0 to 2 clones: 4 sessions, 2 per clone",
			"would go from 2 to 5 clones: 40 sessions, 2 per clone (at most 5)",
			"would go from 5 to 1 clone: 2 sessions, 2 per clone",
		}, told)
		local report = c:report()
		assert.is_true(report.dry_run)
		assert.equal(1, report.wanted)
		assert.equal(1, report.shadow.wanted)
	end)

	it("follows a file that is reloaded", function()
		start {}
		become(4)
		c:use(dry_run.of(check { scale = function() return 7, "new" end }))
		become(4)
		assert.equal("would go from 0 to 7 clones: new", told[#told])
		assert.equal(1, c.platform.made)
	end)

	it("leaves out what acts, and what belongs to the real service", function()
		local function never() error "called" end
		local p = check { on_clone = never, on_event = never, victim = never, admin = 9400 }
		local dry = dry_run.of(p)
		assert.is_nil(dry.on_clone)
		assert.is_nil(dry.on_event)
		assert.is_nil(dry.admin)
		assert.equal("fewest", dry.victim)
		assert.equal("shop-dry-run", dry.name)
		assert.equal(p, dry.shadow)
		assert.equal(never, p.on_clone)
	end)
end)
