-- Memory of the controller over a simulated week of users who come and go: nothing may pile up.

local service = require "spec.bench.support.service"

local CLONES = 50
local DAY_S = 86400
local DAYS = 7
local AIM = 1.05 -- of the memory at the end of the last day to that of the first one

local function live_on(c, clock, users)
	for i = 1, DAY_S do
		local n = math.max(math.floor(CLONES * (1 + math.sin(i / 4000)) + 3 * math.sin(i / 7)), 0)
		users:become(n, n)
		clock.advance(clock.now() + 1)
		c:tick()
	end
	users:become(0, 0)
	clock.advance(clock.now() + 60)
	c:tick()
	clock.advance(clock.now() + 60)
end

local function kilobytes()
	collectgarbage()
	collectgarbage()
	return collectgarbage "count"
end

return {
	title = ("a simulated week, up to %d clones"):format(CLONES),
	run = function(_, report)
		local c, clock, users = service.new(CLONES, {
			plan = { down = { window = 300 }, up = { most = CLONES } }, drain = true, route = "least",
			health = {}, session_timeout = 60, cookieless_timeout = 10,
		})
		local first, last
		for day = 1, DAYS do
			live_on(c, clock, users)
			last = kilobytes()
			first = first or last
			report:value(("end of day %d"):format(day), last, { unit = "KB" })
		end
		report:value("growth", last / first, { aim = AIM })
		report:note(("%d clones were made, %d sessions began"):format(
			c.fleet.counters.made, c.traffic.counters.sessions))
	end,
}
