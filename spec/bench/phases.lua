-- Where the time of one clone goes: the phases between clone() and its callback.

local phases = require "spec.bench.support.phases"

local N = 100

local CASES = {
	{ name = "small", options = {} },
	{ name = "busy", options = { connections = 1000, timers = 64, fs = 64 } },
}

return {
	title = "where the time of one clone goes",
	run = function(t, report)
		report:note("busy: 1,000 connections, 64 timers, 64 fs requests in flight")
		for _, case in ipairs(CASES) do
			local found, totals, without = phases.measure(t, case.options, N)
			for _, phase in ipairs(found) do
				report:samples(("%s: %s: %s"):format(case.name, phase.who, phase.what), phase.samples,
					{ unit = "us" })
			end
			report:samples(case.name .. ": all", totals, { unit = "us" })
			report:samples(case.name .. ": all, without stamps", without, { unit = "us" })
		end
	end,
}
