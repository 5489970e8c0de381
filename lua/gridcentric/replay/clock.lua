-- A clock that goes as fast as what is due can be done; gridcentric.clock's functions.
--
--	local clock = virtual.new(0)
--	clock.advance(1.5)   to that time: what is due until then is called, each at its time
--
-- Timers are a heap by the time that they are due; of those due at one time the first is called
-- first. One that is called off stays until its time, and does nothing then.

local virtual = {}

---@class gridcentric.VirtualClock: gridcentric.Clock
---@field advance fun(to: number, after_each?: fun(now: number))

local function is_before(a, b)
	if a.due ~= b.due then return a.due < b.due end
	return a.number < b.number
end

local function push(heap, timer)
	local i = #heap + 1
	while i > 1 do
		local parent = i // 2
		if not is_before(timer, heap[parent]) then break end
		heap[i] = heap[parent]
		i = parent
	end
	heap[i] = timer
end

local function pop(heap)
	local first, last, n = heap[1], heap[#heap], #heap - 1
	heap[n + 1] = nil
	if n == 0 then return first end
	local i = 1
	while true do
		local child = 2 * i
		if child > n then break end
		if child < n and is_before(heap[child + 1], heap[child]) then child = child + 1 end
		if not is_before(heap[child], last) then break end
		heap[i] = heap[child]
		i = child
	end
	heap[i] = last
	return first
end

---@param start number seconds; time() is the same as now()
---@return gridcentric.VirtualClock
function virtual.new(start)
	local now, heap, count = start, {}, 0
	local clock = {}

	function clock.now() return now end

	function clock.time() return now end

	function clock.after(seconds, fn)
		count = count + 1
		local timer = { due = now + seconds, number = count, fn = fn }
		push(heap, timer)
		return function() timer.fn = nil end
	end

	function clock.advance(to, after_each)
		while heap[1] and heap[1].due <= to do
			local timer = pop(heap)
			if timer.fn then
				now = timer.due
				timer.fn()
				if after_each then after_each(now) end
			end
		end
		now = to
	end

	return clock
end

return virtual
