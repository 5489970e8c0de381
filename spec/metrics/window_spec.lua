local window = require "gridcentric.metrics.window"

describe("window", function()
	it("counts what happened within its span, and forgets it slot by slot", function()
		local w = window.new({ span = 10, slots = 10 }, 100)
		w:add(100)
		w:add(100.9)
		w:add(105)
		assert.equal(3, w:read(109.9)[1])
		assert.equal(1, w:read(110)[1])
		assert.equal(0, w:read(115)[1])
	end)

	it("keeps several counts side by side", function()
		local w = window.new({ span = 4, slots = 2, counts = 3 }, 0)
		w:add(1, 1)
		w:add(1, 3)
		w:add(3, 3)
		assert.same({ 1, 0, 2 }, w:read(3))
		assert.same({ 0, 0, 1 }, w:read(4))
	end)

	it("tells a rate over the time that it covers", function()
		local w = window.new({ span = 10, slots = 10 }, 0)
		for i = 0, 199 do w:add(i / 10) end
		assert.is_true(math.abs(w:rate(20 - 1e-9) - 10) < 0.01)
	end)

	it("tells a rate over the time since it was made while that is less", function()
		local w = window.new({ span = 10, slots = 10 }, 0)
		for i = 0, 29 do w:add(i / 10) end
		assert.is_true(math.abs(w:rate(3) - 10) < 0.01)
	end)

	it("does not take the first event for a storm", function()
		local w = window.new({ span = 10, slots = 10 }, 0)
		w:add(0.001)
		assert.equal(1, w:rate(0.001))
	end)

	it("is empty after a long time without anything", function()
		local w = window.new({ span = 10, slots = 10 }, 0)
		for i = 1, 50 do w:add(i) end
		assert.equal(0, w:rate(1e6))
		w:add(1e6)
		assert.equal(1, w:read(1e6)[1])
	end)

	it("never counts wrong, whatever the times are", function()
		math.randomseed(7)
		local w, now, times = window.new({ span = 5, slots = 5 }, 0), 0, {}
		for _ = 1, 2000 do
			now = now + math.random() * math.random(0, 4)
			w:add(now)
			times[#times + 1] = now
			local expected = 0
			for _, t in ipairs(times) do
				if t // 1 > now // 1 - 5 then expected = expected + 1 end
			end
			assert.equal(expected, w:read(now)[1])
		end
	end)
end)
