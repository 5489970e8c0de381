-- What one decision costs: the sample, the policy, the plan. It is made for each arrival.

local fake_service = require "spec.support.fake_service"
local uv = require "luv"

local ROUNDS = 200

-- Milliseconds of each of some decisions with n clones, all of which are used. The clock stands
-- still: nothing of what is decided is done.
local function decisions(n, nwanted, drain)
	local wanted = n
	local s = fake_service.new {
		clones = { max = n }, drain = drain, scale = function() return wanted end,
	}
	s.clock.advance(1)
	assert(#s.service.fleet.pool.ready == n)
	for _, clone in ipairs(s.service.fleet.pool.ready) do clone.connections = 1 end
	wanted = nwanted
	local samples = {}
	for i = 1, ROUNDS do
		local since = uv.hrtime()
		s.service:decide()
		samples[i] = (uv.hrtime() - since) / 1e6
	end
	return samples
end

return {
	title = "one decision",
	run = function(_, report)
		for _, n in ipairs { 10, 1000, 10000 } do
			local function measure(what, ...)
				report:samples(("%d clones, %s"):format(n, what), decisions(n, ...),
					{ unit = "ms", aim = 1 })
			end
			measure("as many as wanted", n, false)
			measure("one too many, none idle", n - 1, false)
			measure("one too many, to be drained", n - 1, true)
			measure("half too many, to be drained", n // 2, true)
		end
	end,
}
