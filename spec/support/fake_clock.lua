-- A clock that stands still until a spec moves it; gridcentric.clock's functions.
--
--	local clock = fake_clock.new()
--	clock.advance(1.5)      what is due within 1.5 s runs, each at its time
--	clock.advance(0)        ends the turn of the loop

local fake_clock = {}

-- The one that is due first; of those due at the same time the one that was started first.
local function take_due(timers, limit)
	local first
	for i, timer in ipairs(timers) do
		if timer.due <= limit and (not first or timer.due < timers[first].due) then first = i end
	end
	return first and table.remove(timers, first)
end

function fake_clock.new()
	local now = 1000
	local timers = {}
	local clock = {}

	function clock.now() return now end

	-- now 1000 is 2026-01-01 00:00:00 UTC
	function clock.time() return 1767225600 + now - 1000 end

	function clock.after(seconds, fn)
		local timer = { due = now + seconds, fn = fn }
		timers[#timers + 1] = timer
		return function() timer.fn = function() end end
	end

	function clock.advance(seconds)
		local limit = now + seconds
		local timer = take_due(timers, limit)
		while timer do
			now = math.max(now, timer.due)
			timer.fn()
			timer = take_due(timers, limit)
		end
		now = limit
	end

	return clock
end

return fake_clock
