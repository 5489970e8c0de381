-- The marks of an axis: where they stand, and their texts.

local axis = {}

local S, MIN, H, DAY = 1, 60, 3600, 86400
local TIME_STEPS = {
	S, 2 * S, 5 * S, 10 * S, 15 * S, 30 * S,
	MIN, 2 * MIN, 5 * MIN, 10 * MIN, 15 * MIN, 30 * MIN,
	H, 2 * H, 3 * H, 6 * H, 12 * H, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY,
}

---The round step that leads from 0 to `most` in n steps or fewer.
---@param most number
---@param n integer
---@return integer
function axis.count_step(most, n)
	local size = 1
	while true do
		for _, factor in ipairs { 1, 2, 5 } do
			if factor * size * n >= most then return factor * size end
		end
		size = size * 10
	end
end

-- Whether a time counts from 1970, and not from the beginning of something.
local function is_date(time)
	return time >= 365 * DAY
end

local function time_step(span, n)
	for _, step in ipairs(TIME_STEPS) do
		if span / step <= n then return step end
	end
	return math.ceil(span / n / DAY) * DAY
end

local function elapsed(time, step)
	if step >= DAY then return ("%g d"):format(time / DAY) end
	if step >= H then return ("%g h"):format(time / H) end
	if step >= MIN then return ("%g min"):format(time / MIN) end
	return ("%g s"):format(time)
end

local function text(time, step)
	if not is_date(time) then return elapsed(time, step) end
	return os.date(step >= DAY and "%b %d" or step >= MIN and "%H:%M" or "%H:%M:%S", time // 1)
end

-- Marks stand at hours of the local day, not of UTC.
local function zone_offset(time)
	if not is_date(time) then return 0 end
	local utc = os.date("!*t", time // 1)
	utc.isdst = os.date("*t", time // 1).isdst
	return time // 1 - os.time(utc)
end

---@param from number seconds
---@param to number
---@param n integer the most marks
---@return { at: number, text: string }[]
function axis.times(from, to, n)
	local step, marks = time_step(to - from, n), {}
	local offset = zone_offset(from)
	local at = math.ceil((from + offset) / step) * step - offset
	while at <= to do
		marks[#marks + 1] = { at = at, text = text(at, step) }
		at = at + step
	end
	return marks
end

return axis
