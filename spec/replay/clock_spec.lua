local virtual = require "gridcentric.replay.clock"

describe("replay.clock", function()
	it("calls what is due, each at its time, the first of one time first", function()
		local clock, seen = virtual.new(100), {}
		local function note(name) return function() seen[#seen + 1] = { name, clock.now() } end end
		clock.after(3, note "c")
		clock.after(1, note "a")
		clock.after(1, note "b")
		clock.advance(102)
		assert.same({ { "a", 101 }, { "b", 101 } }, seen)
		assert.equal(102, clock.now())
		clock.advance(103)
		assert.same({ "c", 103 }, seen[3])
	end)

	it("calls what is begun on the way, too", function()
		local clock, n = virtual.new(0), 0
		local function again()
			n = n + 1
			clock.after(1, again)
		end
		clock.after(0, again)
		clock.advance(10)
		assert.equal(11, n)
	end)

	it("calls nothing that was called off", function()
		local clock = virtual.new(0)
		local cancel = clock.after(1, function() error "called" end)
		cancel()
		clock.advance(2)
		cancel()
	end)

	it("tells after each one", function()
		local clock, times = virtual.new(0), {}
		for i = 3, 1, -1 do clock.after(i, function() end) end
		clock.advance(2.5, function(now) times[#times + 1] = now end)
		assert.same({ 1, 2 }, times)
	end)

	it("keeps order among many", function()
		local clock, random, last = virtual.new(0), require("gridcentric.util.random").new(5), 0
		for i = 1, 2000 do
			local due = (random() >> 40) / 1e6
			local cancel = clock.after(due, function()
				assert.is_true(clock.now() >= last)
				last = clock.now()
			end)
			if i % 3 == 0 then cancel() end
		end
		clock.advance(100)
		assert.is_true(last > 0)
	end)
end)
