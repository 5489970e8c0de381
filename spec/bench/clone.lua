-- From clone() to the clone's callback, beside what the kernel alone takes: fork() in a C program
-- of the same resident memory.
--
-- Both look at the clock before the call, and in the child when its first write is done.

local memory = require "spec.bench.support.memory"
local stats = require "spec.bench.support.stats"
local subject = require "spec.bench.support.subject"

local N = 100
local STARTS = 4 -- of both programs: by chance one of them gets memory that is slower to copy

local CASES = {
	{ name = "10 MB", mb = 10, aim = 2.5 },
	{ name = "500 MB", mb = 500, aim = 1.2 },
	{ name = "500 MB of tables", mb = 500, heap = "tables" },
}

local function fork(forker)
	forker:write("f")
	local ns = forker:line("^fork (%d+)")
	forker:line("^done")
	return tonumber(ns)
end

local function start_forker(t, size)
	local forker = t.spawn { subject.helpers .. "/forker", tostring(size.anon),
		tostring(size.file), t.tmpdir() .. "/file", stdin = true }
	forker:line("^ready", 60000)
	for _ = 1, subject.WARM_UP do fork(forker) end
	return forker
end

-- Starts both, one or the other first; size is nil for the first time.
local function start_both(t, case, size, forker_first)
	local forker = forker_first and start_forker(t, size)
	local program = subject.start(t, case)
	size = size or memory.resident(program.pid)
	forker = forker or start_forker(t, size)
	assert(memory.huge(program.pid) == memory.huge(forker.pid), "only one of them has huge pages")
	return program, forker, size
end

-- Turn by turn, and who is first changes, so that both meet the same machine.
local function take_turns(program, forker, clones, forks)
	for i = 1, N / STARTS do
		if i % 2 == 0 then table.insert(clones, program:clone() / 1e6) end
		table.insert(forks, fork(forker) / 1e6)
		if i % 2 == 1 then table.insert(clones, program:clone() / 1e6) end
	end
end

local function describe(size)
	return ("%.1f MB (%.1f of files)"):format(size.rss / 1024, size.file / 1024)
end

local function measure(t, report, case)
	local clones, forks = {}, {}
	local known, ours, theirs
	for start = 1, STARTS do
		local program, forker, size = start_both(t, case, known, start % 2 == 0)
		known, ours, theirs = size, memory.resident(program.pid), memory.resident(forker.pid)
		assert(math.abs(ours.rss - theirs.rss) <= 0.05 * theirs.rss, "not of the same size")
		take_turns(program, forker, clones, forks)
		forker:close_stdin()
		forker:wait()
		program:stop()
	end
	local name = case.name
	local clone = report:samples(name .. ": clone() to callback", clones, { unit = "ms" })
	local bare = report:samples(name .. ": bare fork()", forks, { unit = "ms" })
	report:value(name .. ": ratio of the medians", clone / bare, { aim = case.aim })
	report:value(name .. ": ratio of the fastest tenths", -- less moved by what else runs
		stats.summary(clones).p10 / stats.summary(forks).p10)
	report:note(("resident: program %s, bare fork %s"):format(describe(ours), describe(theirs)))
end

local function measure_busy(t, report)
	local load = { timers = 64, fs = 64, connections = 1000 }
	local program = subject.start(t, load)
	local clones = {}
	for i = 1, N do clones[i] = program:clone() / 1e6 end
	report:samples("1,000 connections, 64 timers, 64 fs requests", clones, { unit = "ms" })
	program:stop()
end

return {
	title = "clone() to the clone's callback",
	run = function(t, report)
		for _, case in ipairs(CASES) do measure(t, report, case) end
		measure_busy(t, report)
	end,
}
