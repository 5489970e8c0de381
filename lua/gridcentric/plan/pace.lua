-- Turns what a policy desires into what is wanted: within bounds, and not too fast.
--
-- Each direction has a pace of its own:
--
--	cooldown   seconds from the last change to the next. Up: from the last rise; down: from the last
--	           change of either kind, so that what has just been made is not ended at once
--	window     seconds for which more, or less, has to be desired: up to the least, down to the
--	           most of what was desired within it
--	most       clones in any `period` seconds, as a number or a share of what there were before
--
-- What differs by no more than the share `tolerance` changes nothing. The first clone is never
-- delayed, for somebody waits for it; nor is what brings the number back within min and max.
--
-- Pure: the time is an argument, and the state is data.

local rate = require "gridcentric.plan.rate"
local units = require "gridcentric.util.units"
local window = require "gridcentric.plan.window"

local pace = {}

---@class gridcentric.Amount
---@field n? integer
---@field share? number

---@class gridcentric.Direction
---@field cooldown number seconds
---@field window number seconds
---@field most? gridcentric.Amount none: any number
---@field period number seconds

---@class gridcentric.PaceOptions
---@field min integer
---@field max integer
---@field tolerance number
---@field up gridcentric.Direction
---@field down gridcentric.Direction

---@class gridcentric.Pace
---@field wanted integer
---@field risen gridcentric.Rate
---@field fallen gridcentric.Rate
---@field rose_at number when it last rose; seconds
---@field fell_at number
---@field least gridcentric.Window of what was desired: as high as that it may rise
---@field most gridcentric.Window as low as that it may fall

---@return gridcentric.Pace
function pace.new()
	return {
		wanted = 0,
		risen = rate.new(), fallen = rate.new(),
		rose_at = -math.huge, fell_at = -math.huge,
		least = window.new(-1), most = window.new(1),
	}
end

local function clamp(o, n)
	if n < o.min then return o.min, ("at least %d"):format(o.min) end
	if n > o.max then return o.max, ("at most %d"):format(o.max) end
	return n
end

-- The most that it may change by, of what was there when the period began.
local function allowance(amount, before)
	if amount.n then return amount.n, tostring(amount.n) end
	return math.max(math.ceil(amount.share * before), 1), units.show(amount.share, "%")
end

---@class gridcentric.Way one of the two, at a step
---@field name "up"|"down"
---@field sign 1|-1
---@field o gridcentric.Direction
---@field since number when the cooldown began
---@field changes gridcentric.Rate

local function up(p, o)
	return { name = "up", sign = 1, o = o.up, since = p.rose_at, changes = p.risen }
end

local function down(p, o)
	local since = math.max(p.rose_at, p.fell_at)
	return { name = "down", sign = -1, o = o.down, since = since, changes = p.fallen }
end

local function cooldown(way, now)
	local left = way.since + way.o.cooldown - now
	if left > 0 then
		return ("%s.cooldown: %s left"):format(way.name, units.show(math.ceil(left), "s"))
	end
end

-- How much of a change the rate leaves.
local function limit_rate(way, now, wanted, change)
	if not way.o.most then return change end
	local done = rate.within(way.changes, now, way.o.period)
	local most, text = allowance(way.o.most, wanted - way.sign * done)
	if change <= most - done then return change end
	return math.max(most - done, 0), ("%s.most: %s in %s"):format(way.name, text,
		units.show(way.o.period, "s"))
end

-- Goes to what is desired, no further than `steady`, which the window allows.
local function go(p, now, way, desired, steady)
	local window_limit
	if steady ~= desired then
		window_limit = ("%s.window: %s"):format(way.name, units.show(way.o.window, "s"))
	end
	local change = way.sign * (steady - p.wanted)
	if change <= 0 then return p.wanted, window_limit end
	local is_cooling = cooldown(way, now)
	if is_cooling then return p.wanted, is_cooling end
	local done, rate_limit = limit_rate(way, now, p.wanted, change)
	return p.wanted + way.sign * done, rate_limit or window_limit
end

-- Changes are remembered for their period, also where the rate has no limit: the next policy may
-- have one.
local function set(p, o, now, wanted)
	local change = wanted - p.wanted
	if change > 0 then
		rate.within(p.risen, now, o.up.period)
		rate.add(p.risen, now, change)
		p.rose_at = now
	elseif change < 0 then
		rate.within(p.fallen, now, o.down.period)
		rate.add(p.fallen, now, -change)
		p.fell_at = now
	end
	p.wanted = wanted
	return wanted
end

-- What is desired is heard, also when nothing may change.
local function hear(p, o, now, desired)
	p.least.span, p.most.span = o.up.window, o.down.window
	return window.observe(p.least, now, desired), window.observe(p.most, now, desired)
end

---@param p gridcentric.Pace
---@param o gridcentric.PaceOptions
---@param now number seconds
---@param desired integer
---@return integer wanted
---@return string? limit what keeps it from being what is desired
function pace.step(p, o, now, desired)
	local bounded, limit = clamp(o, desired)
	if math.abs(bounded - p.wanted) <= o.tolerance * p.wanted and bounded ~= p.wanted then
		bounded, limit = p.wanted, "tolerance: " .. units.show(o.tolerance, "%")
	end
	local least, most = hear(p, o, now, bounded)
	local wanted, pace_limit = bounded, nil
	if bounded > p.wanted then wanted, pace_limit = go(p, now, up(p, o), bounded, least) end
	if bounded < p.wanted then wanted, pace_limit = go(p, now, down(p, o), bounded, most) end
	if wanted == 0 and bounded > 0 then wanted = 1 end
	return set(p, o, now, (clamp(o, wanted))), pace_limit or limit
end

---Sets what is wanted by hand; what is desired is heard only.
---@param p gridcentric.Pace
---@param o gridcentric.PaceOptions
---@param now number
---@param desired integer
---@param wanted integer? none: as it is
---@return integer wanted
function pace.hold(p, o, now, desired, wanted)
	hear(p, o, now, (clamp(o, desired)))
	return set(p, o, now, math.min(wanted or p.wanted, o.max))
end

return pace
