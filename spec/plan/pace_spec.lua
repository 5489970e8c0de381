local pace = require "gridcentric.plan.pace"
local rate = require "gridcentric.plan.rate"
local window = require "gridcentric.plan.window"

describe("plan.window", function()
	-- What it should say: looks at all that was said.
	local function slow_extreme(said, now, span, sign)
		local found = -math.huge
		for i = #said, 1, -1 do
			if i < #said and said[i].at <= now - span then break end
			found = math.max(found, sign * said[i].value)
		end
		return sign * found
	end

	it("knows the extreme of its span", function()
		math.randomseed(7)
		for _, sign in ipairs { 1, -1 } do
			local w, said, now = window.new(sign), {}, 0
			w.span = 10
			for _ = 1, 2000 do
				now = now + math.random(0, 3)
				local value = math.random(0, 9)
				said[#said + 1] = { at = now, value = value }
				assert.equal(slow_extreme(said, now, 10, sign), window.observe(w, now, value))
			end
		end
	end)

	it("knows only what was said last without a span", function()
		local w = window.new(1)
		assert.equal(5, window.observe(w, 0, 5))
		assert.equal(3, window.observe(w, 0, 3))
	end)

	it("keeps no more than it needs", function()
		local w = window.new(1)
		w.span = 1e9
		for i = 1, 10000 do window.observe(w, i, i % 7) end
		local n = 0
		for _ in pairs(w.at) do n = n + 1 end
		assert.is_true(n <= 7)
	end)
end)

describe("plan.rate", function()
	it("sums up what is not older than the period", function()
		local r = rate.new()
		rate.add(r, 0, 2)
		rate.add(r, 5, 3)
		assert.equal(5, rate.within(r, 9, 10))
		assert.equal(3, rate.within(r, 10, 10))
		rate.add(r, 12, 1)
		assert.equal(4, rate.within(r, 14, 10))
		assert.equal(0, rate.within(r, 100, 10))
	end)
end)

describe("plan.pace", function()
	local p, o

	before_each(function()
		p = pace.new()
		o = {
			min = 0, max = 100, tolerance = 0,
			up = { cooldown = 0, window = 0, period = 60 },
			down = { cooldown = 0, window = 0, period = 60 },
		}
	end)

	-- What is wanted after each of some seconds: "1 1 3".
	local function run(desired, from)
		local found, last = {}, nil
		for i, n in ipairs(desired) do
			found[i], last = pace.step(p, o, (from or 0) + i, n)
		end
		return table.concat(found, " "), last
	end

	it("wants what is desired, at once", function()
		assert.equal("3 0 7 1", (run { 3, 0, 7, 1 }))
	end)

	it("remembers changes for their period only", function()
		for i = 1, 1000 do pace.step(p, o, i, i % 2) end
		local n = 0
		for _, changes in ipairs { p.risen, p.fallen } do
			for _ in pairs(changes.at) do n = n + 1 end
		end
		assert.is_true(n <= 62)
	end)

	it("stays within min and max, and says so", function()
		o.min, o.max = 2, 4
		local wanted, limit = pace.step(p, o, 0, 0)
		assert.same({ 2, "at least 2" }, { wanted, limit })
		wanted, limit = pace.step(p, o, 0, 9)
		assert.same({ 4, "at most 4" }, { wanted, limit })
		assert.same({ 3 }, { pace.step(p, o, 0, 3) })
	end)

	it("rises to the least that was desired within up.window", function()
		o.up.window = 3
		assert.equal("2 2 2 5 5 5 4", (run { 2, 5, 6, 7, 5, 6, 4 }))
		local _, limit = pace.step(p, o, 8, 50)
		assert.equal("up.window: 3 s", limit)
	end)

	it("falls to the most that was desired within down.window", function()
		o.down.window = 3
		assert.equal("9 9 9 4 3 3 3 8", (run { 9, 4, 2, 3, 2, 3, 1, 8 }))
		local _, limit = pace.step(p, o, 8, 0)
		assert.equal("down.window: 3 s", limit)
	end)

	it("rises again only after up.cooldown", function()
		o.up.cooldown = 3
		local wanted, limit = run { 2, 5, 5, 5, 6 }
		assert.equal("2 2 2 5 5", wanted)
		assert.equal("up.cooldown: 2 s left", limit)
	end)

	it("falls only after down.cooldown, which a rise begins anew", function()
		o.down.cooldown = 3
		assert.equal("5 5 5 4 4 7 7 7 0", (run { 5, 4, 4, 4, 3, 7, 0, 0, 0 }))
	end)

	it("changes by no more than so many in a period", function()
		o.up = { cooldown = 0, window = 0, most = { n = 2 }, period = 3 }
		o.down = { cooldown = 0, window = 0, most = { n = 1 }, period = 2 }
		local wanted, limit = run { 9, 9, 9, 9 }
		assert.equal("2 2 2 4", wanted)
		assert.equal("up.most: 2 in 3 s", limit)
		wanted, limit = run({ 0, 0, 0, 0 }, 10)
		assert.equal("3 3 2 2", wanted)
		assert.equal("down.most: 1 in 2 s", limit)
	end)

	it("changes by no more than a share of what there was, and by one at least", function()
		o.up = { cooldown = 0, window = 0, most = { share = 0.5 }, period = 2 }
		local wanted, limit = run { 99, 99, 99, 99, 99, 99, 99, 99, 99 }
		assert.equal("1 1 2 2 3 3 5 5 8", wanted)
		assert.equal("up.most: 50% in 2 s", limit)
	end)

	it("lets several rises within a period use one allowance", function()
		o.up = { cooldown = 0, window = 0, most = { n = 4 }, period = 10 }
		assert.equal("1 3 4 4", (run { 1, 3, 9, 9 }))
	end)

	it("stays where the difference is within the tolerance", function()
		o.tolerance = 0.1
		local wanted, limit = run { 20, 22, 23, 21, 18 }
		assert.equal("20 20 23 23 18", wanted)
		assert.is_nil(limit)
		assert.equal("tolerance: 10%", (select(2, pace.step(p, o, 6, 19))))
	end)

	it("never delays the first clone", function()
		o.up = { cooldown = 60, window = 60, most = { n = 1 }, period = 60 }
		assert.equal("0 1 1", (run { 0, 5, 5 }))
	end)

	it("never delays what min and max ask for", function()
		o.up.cooldown, o.down.cooldown = 60, 60
		run { 5 }
		o.min = 8
		assert.equal(8, (pace.step(p, o, 2, 5)))
		o.min, o.max = 0, 3
		assert.equal(3, (pace.step(p, o, 3, 5)))
	end)

	it("hears what is desired while it is held", function()
		o.down.window = 10
		run { 9 }
		assert.equal(9, pace.hold(p, o, 2, 1))
		assert.equal(3, pace.hold(p, o, 3, 8, 3))
		assert.equal(8, (pace.step(p, o, 4, 8)))
		assert.equal(8, (pace.step(p, o, 12, 1)))
		assert.equal(1, (pace.step(p, o, 30, 1)))
	end)
end)
