-- How fast a day is played, with a sample each second.

local policy = require "gridcentric.config.load"
local replay = require "gridcentric.replay"
local trace = require "gridcentric.trace"
local uv = require "luv"

local ROWS = 86400
local AIM_S = 1
local N = 5

-- A day with two rushes.
local function day()
	local i = -1
	return function()
		i = i + 1
		if i == 0 then return "at,sessions" end
		if i > ROWS then return nil end
		local hour = i / 3600
		local load = 3 + 14 * math.exp(-((hour - 10) / 2) ^ 2) + 18 * math.exp(-((hour - 16) / 2) ^ 2)
		return ("%d,%d"):format(i, math.floor(load + 2 * math.sin(i / 40)))
	end
end

return {
	title = ("a day of %d rows is played"):format(ROWS),
	run = function(_, report)
		local p = assert(policy.check { app = { script = "-" } })
		local reading, playing, whole = {}, {}, {}
		for i = 1, N do
			collectgarbage()
			local began = uv.hrtime()
			local t = assert(trace.read(day(), "day"))
			local read = uv.hrtime()
			replay.play(p, t)
			local played = uv.hrtime()
			reading[i], playing[i] = (read - began) / 1e9, (played - read) / 1e9
			whole[i] = (played - began) / 1e9
		end
		report:samples("reading it", reading, { unit = "s" })
		report:samples("playing it", playing, { unit = "s" })
		report:samples("both", whole, { unit = "s", aim = AIM_S })
	end,
}
