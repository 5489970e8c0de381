-- Counts events of the last seconds; one window may hold several counts.
--
-- The window is a ring of slots, each for a fraction of the time; it forgets slot by slot. Memory
-- is constant, and add() takes constant time. Pure: the time (seconds, never going back) is an
-- argument.

local window = {}

---@class gridcentric.Window
---@field totals integer[] of each count within the window, as of the last call
local Window = { __name = "gridcentric.window" }
Window.__index = Window

local function zeros(n)
	local list = {}
	for i = 1, n do list[i] = 0 end
	return list
end

---@class gridcentric.WindowOptions
---@field span number length of the window in seconds
---@field slots integer steps in which the window moves
---@field counts? integer how many counts there are (1)

---@param o gridcentric.WindowOptions
---@param now number
---@return gridcentric.Window
function window.new(o, now)
	local self = setmetatable({
		slot_s = o.span / o.slots,
		slots = {},
		counts = o.counts or 1,
		since = now,
		turn = 0, -- slots begun since `since`
		totals = zeros(o.counts or 1),
	}, Window)
	for i = 1, o.slots do self.slots[i] = zeros(self.counts) end
	return self
end

local function slot_of(self, turn)
	return self.slots[turn % #self.slots + 1]
end

local function clear(self, slot)
	for i = 1, self.counts do
		self.totals[i] = self.totals[i] - slot[i]
		slot[i] = 0
	end
end

-- Forgets slots that have left the window.
local function advance(self, now)
	local turn = (now - self.since) // self.slot_s
	local passed = math.min(turn - self.turn, #self.slots)
	for i = 1, passed do clear(self, slot_of(self, turn - passed + i)) end
	if passed > 0 then self.turn = turn end
end

---@param now number
---@param i? integer which count (1)
---@param n? integer by how much (1)
function Window:add(now, i, n)
	advance(self, now)
	local slot = slot_of(self, self.turn)
	i, n = i or 1, n or 1
	slot[i] = slot[i] + n
	self.totals[i] = self.totals[i] + n
end

---@param now number
---@return integer[] totals not to be changed
function Window:read(now)
	advance(self, now)
	return self.totals
end

---Events per second.
---@param now number
---@param i? integer which count (1)
---@return number
function Window:rate(now, i)
	advance(self, now)
	local full = (#self.slots - 1) * self.slot_s
	local covered = math.min(full + (now - self.since) % self.slot_s, now - self.since)
	return self.totals[i or 1] / math.max(covered, self.slot_s)
end

return window
