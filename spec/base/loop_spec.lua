-- The timers of the loop.

local spec_base = require "gridcentric.spec_base"

-- A loop, and the ids of its timers in the order in which they fired.
local function new_loop(on_fire)
	local fired = {}
	local loop
	loop = spec_base.loop(function(id)
		fired[#fired + 1] = id
		if on_fire then on_fire(loop, id) end
	end)
	return loop, fired
end

-- Turns until n timers have fired: a timer comes late, but never early or not at all.
local function turn_until(loop, fired, n)
	while #fired < n do loop:turn(-1) end
end

describe("a timer of the loop", function()
	it("fires once", function()
		local loop, fired = new_loop()
		loop:start(1, 0)
		turn_until(loop, fired, 1)
		loop:turn(0)
		assert.same({ 1 }, fired)
		loop:close()
	end)

	it("fires after those that are due earlier, whenever they were started", function()
		local loop, fired = new_loop()
		loop:start(1, 60)
		loop:start(2, 20)
		loop:start(3, 40)
		turn_until(loop, fired, 3)
		assert.same({ 2, 3, 1 }, fired)
		loop:close()
	end)

	it("fires in the order of starting among those that are due together", function()
		local loop, fired = new_loop()
		local expected = {}
		for id = 1, 1000 do
			loop:start(id, -id) -- a negative delay is none
			expected[id] = id
		end
		turn_until(loop, fired, 1000)
		assert.same(expected, fired)
		loop:close()
	end)

	it("does not fire when it was stopped, also by the timer before it", function()
		local loop, fired = new_loop(function(loop, id)
			if id == 1 then loop:stop(2) end
		end)
		for id = 1, 4 do loop:start(id, 0) end
		loop:stop(3)
		turn_until(loop, fired, 2)
		loop:turn(0)
		assert.same({ 1, 4 }, fired)
		loop:close()
	end)

	it("fires by its last start", function()
		local loop, fired = new_loop()
		loop:start(1, 0)
		loop:start(2, 0)
		loop:start(1, 0)
		turn_until(loop, fired, 2)
		assert.same({ 2, 1 }, fired)
		loop:close()
	end)

	it("that starts itself again fires in the next turn, not in this one for ever", function()
		local loop, fired = new_loop(function(loop, id) loop:start(id, 0) end)
		loop:start(1, 0)
		turn_until(loop, fired, 1)
		assert.equal(1, #fired)
		turn_until(loop, fired, 3)
		loop:close()
	end)
end)
