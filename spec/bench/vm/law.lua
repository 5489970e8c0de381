-- How the master's pause grows: with its RAM, with what of that is touched, with what was written
-- since the ticket was granted. As the engine saw QEMU stand still.

local fit = require "spec.bench.support.fit"
local stats = require "spec.bench.support.stats"
local vm = require "spec.bench.support.vm"

local SIZES = { 256, 1024, 4096 } -- MB of RAM
local N = 4
local MB, GB = 2 ^ 20, 2 ^ 30
local SAME = 200 * MB -- touched in all of them, but for the largest, which boots with more
local PART = 0.4 -- of the RAM
local WRITTEN = { 1, 32 } -- MB

-- Stops that were noted: each { ram =, touched =, written =, pause = }; bytes, ms.
local function take(machine, written)
	for _ = 1, N do
		machine:ticket(1)
		if written > 0 then machine:tell(("write %d"):format(written * MB)) end
		machine:finish(machine:clone(1))
	end
	local pauses, copied, touched = {}, {}, {}
	for i, stop in ipairs(machine:snapshots(N)) do
		pauses[i], copied[i], touched[i] = stop.pause_ms, stop.copied, stop.bytes
	end
	return { ram = machine.memory * MB, touched = stats.median(touched), pauses = pauses,
		copied = stats.median(copied), written = written * MB, pause = stats.median(pauses) }
end

local function show(report, case, what)
	report:samples(("%4d MB RAM, %4.0f MB touched: %s"):format(case.ram // MB, case.touched / MB,
		what), case.pauses, { unit = "ms" })
	return case
end

-- One size; adds to the list of cases.
local function measure(t, report, accel, size, cases)
	-- the master, its copy, and what the page cache of the host keeps
	local needed = 2.5 * PART * size * MB + 2 * SAME
	if vm.available() < needed then
		return report:note(("%d MB RAM: left out, for %.1f GB of memory are not free"):format(size,
			needed / GB))
	end
	local machine = vm.start(t, { memory = size, accel = accel })
	local booted = show(report, take(machine, 0), "as it has booted")
	machine:touch(SAME)
	cases.same[#cases.same + 1] = show(report, take(machine, 0), "the same for all")
	for _, written in ipairs(WRITTEN) do
		local case = take(machine, written)
		cases.written[#cases.written + 1] = show(report, case,
			("%d MB written since the grant"):format(written))
	end
	cases.touched[#cases.touched + 1] = booted
	cases.touched[#cases.touched + 1] = cases.same[#cases.same]
	if machine:touched() < PART * size * MB then
		machine:touch(PART * size * MB)
		cases.touched[#cases.touched + 1] = show(report, take(machine, 0),
			("%.0f %% of it"):format(100 * PART))
	else
		report:note(("%d MB RAM: more than %.0f %% of it are touched already"):format(size, 100 * PART))
	end
	machine:stop()
end

local function pause(case) return case.pause end

local function conclude(report, cases)
	if #cases.same < 2 then return end
	local law = fit(cases.touched, {
		function(case) return case.touched / GB end,
		function(case) return case.ram / GB end,
		function() return 1 end,
	}, pause)
	report:value("slope: for each GB touched", law[1], { unit = "ms" })
	report:value("  and for each GB of RAM besides", law[2], { unit = "ms" })
	report:value("  and in any case", law[3], { unit = "ms" })
	-- what was written, beside the same machine without that
	local points = {}
	for i, same in ipairs(cases.same) do
		for j = 1, #WRITTEN do
			local case = cases.written[(i - 1) * #WRITTEN + j]
			points[#points + 1] = { written = case.written, pause = case.pause - same.pause }
		end
	end
	law = fit(points, { function(case) return case.written / GB end }, pause)
	report:value("slope: for each GB written since the grant", law[1], { unit = "ms" })
end

return {
	title = "the law of the master's pause: QEMU stands still",
	run = function(t, report)
		local accel = vm.best_accelerator(t)
		report:note(accel .. ", 1 CPU, ticket granted long before:")
		local cases = { same = {}, touched = {}, written = {} }
		for _, size in ipairs(SIZES) do measure(t, report, accel, size, cases) end
		conclude(report, cases)
	end,
}
