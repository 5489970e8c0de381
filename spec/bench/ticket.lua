-- From request_ticket() to granted, one after another.

local subject = require "spec.bench.support.subject"

return {
	title = "request_ticket() to granted",
	run = function(t, report)
		local p = t.spawn { "lua5.4", subject.programs .. "/tickets.lua", "1000" }
		assert(p:wait(60000) == 0, p:describe())
		local samples = {}
		for ns in p.stdout:gmatch("%d+") do samples[#samples + 1] = tonumber(ns) / 1e6 end
		report:samples("one ticket", samples, { unit = "ms", aim = 0.3 })
	end,
}
