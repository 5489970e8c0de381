-- From clone(), called by an owner outside the program, to the first byte that the clone serves at
-- its own address; one at a time, and many on one ticket.

local subject = require "spec.bench.support.subject"

local function measure(t, rounds, clones)
	local p = t.spawn { "lua5.4", subject.programs .. "/owner.lua", subject.programs, "program.lua",
		tostring(t.free_port()), tostring(rounds), tostring(clones),
		env = subject.environment() }
	assert(p:wait(120000) == 0, p:describe())
	local first, all = {}, {}
	for ns in p.stdout:gmatch("first (%d+)\n") do first[#first + 1] = tonumber(ns) / 1e6 end
	for ns in p.stdout:gmatch("all (%d+)\n") do all[#all + 1] = tonumber(ns) / 1e6 end
	return first, all
end

return {
	title = "clone() to the first byte from the clone",
	run = function(t, report)
		local first = measure(t, 101, 1)
		table.remove(first, 1) -- the program's first clone
		report:samples("one clone", first, { unit = "ms" })
		for _, case in ipairs { { clones = 32, rounds = 50 }, { clones = 500, rounds = 5 } } do
			local each, all = measure(t, case.rounds, case.clones)
			local what = ("%d on one ticket"):format(case.clones)
			local total = report:samples(what .. ": all have served", all, { unit = "ms" })
			report:value(what .. ": the same, for each clone", total / case.clones, { unit = "ms" })
			report:samples(what .. ": each, since clone()", each, { unit = "ms" })
		end
	end,
}
