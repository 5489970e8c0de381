-- What one decision costs, by the number of clones: the policy is asked, the plan made, and what
-- was decided is settled. While all clones are as wanted, and while the policy wants half of them,
-- but all are in use: then each decision looks for some that may go.

local service = require "spec.bench.support.service"
local uv = require "luv"

local SIZES = { 10, 1000, 5000, 10000 }
local AIM_MS = 1 -- with the most clones
local N = 200

local function measure(c, clock)
	local samples = {}
	for i = 1, N do
		local since = uv.hrtime()
		c:decide "tick"
		c:settle_soon()
		clock.advance(clock.now())
		samples[i] = (uv.hrtime() - since) / 1e6
	end
	return samples
end

local function report_size(report, n, last)
	local divisor = 1
	local c, clock = service.new(n, {
		scale = function(_, sample) return sample.sessions / 2 / divisor, "half of what there is" end,
	})
	local aim = n == last and AIM_MS or nil
	local calm = report:samples(("%d clones, as many as wanted"):format(n), measure(c, clock),
		{ unit = "ms", aim = aim })
	divisor = 2
	local busy = report:samples(("%d clones, twice as many as wanted, all in use"):format(n),
		measure(c, clock), { unit = "ms", aim = aim })
	return calm, busy
end

return {
	title = "one decision",
	run = function(_, report)
		local last = SIZES[#SIZES]
		local busy = {}
		for _, n in ipairs(SIZES) do
			collectgarbage()
			_, busy[n] = report_size(report, n, last)
		end
		report:value("growth from 5000 to 10000 clones, all in use", busy[10000] / busy[5000],
			{ aim = 2.2 })
	end,
}
