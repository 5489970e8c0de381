-- Cuts clones into phases, each from one moment to the next.
--
-- The program and its engine are built so that each function leaves a stamp (lua_stamps.c), which
-- makes them a little slower; so the same program without stamps is cloned in turns with them, and
-- what it took is given beside. The moments are functions of csrc/. One that is not found any more
-- is an error: it was renamed, and its name here has to follow.

local procfs = require "spec.support.procfs"
local stamps = require "spec.bench.support.stamps"
local subject = require "spec.bench.support.subject"

local phases = {}

-- Who does it, when it is over, what it is.
local STEPS = {
	{ "program", "enter", "channel_send", "clone(): look for listeners, write CLONE" },
	{ "engine", "enter", "on_message", "CLONE to the engine, which wakes up" },
	{ "engine", "enter", "clone_begin", "check ticket and request" },
	{ "engine", "exit", "domain_new", "a domain: number, token, channel" },
	{ "engine", "exit", "address_lease", "lease an address, make its listeners" },
	{ "engine", "enter", "channel_send", "look for hooks, copy descriptors, write FORK" },
	{ "program", "enter", "guest_turn", "FORK to the program, which wakes up" },
	{ "program", "enter", "guest_fork_some", "read FORK" },
	{ "program", "fork", nil, "look at all descriptors" },
	{ "clone", "forked", nil, "fork() itself" },
	{ "clone", "exit", "close_host_only", "repair: own group, close host-only descriptors" },
	{ "clone", "exit", "apply_items", "repair: replace descriptors" },
	{ "clone", "exit", "repair_apply", "repair: standard input" },
	{ "clone", "exit", "repair_arm_lifeline", "repair: lifeline" },
	{ "clone", "exit", "repair_process", "repair: signals, random numbers" },
	{ "clone", "exit", "forget_master", "repair: the core's event loop" },
	{ "clone", "exit", "repair_apply_steps", "repair: libuv's loop" },
	{ "clone", "exit", "attach", "channel" },
	{ "clone", "exit", "report_newborn", "write HELLO and READY" },
	{ "clone", "mark", "clone", "to the callback in Lua" },
}

-- Index of the first stamp from i on that is the one wanted.
local function find(log, i, pid, kind, what)
	while log[i] do
		local s = log[i]
		if s.kind == kind and (not pid or s.pid == pid) and (not what or s.what == what) then
			return i, s
		end
		i = i + 1
	end
end

-- The process that the fork after stamp i made.
local function find_clone(log, i, program)
	local _, forked = find(log, i, program, "forked")
	return forked and forked.what
end

-- One clone, from its call at stamp i: the moments; nil where the log ends before.
local function cut(log, i, pids)
	local moments, at = { log[i].at }, i
	local clone = find_clone(log, i, pids.program)
	local pid = { program = pids.program, engine = pids.engine, clone = clone }
	for n, step in ipairs(STEPS) do
		local who, kind, what = step[1], step[2], step[3]
		local found, stamp = find(log, at + 1, pid[who], kind, what)
		assert(found, ("no %s of %s in the %s: renamed?"):format(kind, what or "?", who))
		moments[n + 1], at = stamp.at, found
	end
	return moments
end

-- The phases in order, with the samples of all clones, in us; and all of them together.
local function cut_all(log, pids)
	local found, totals = {}, {}
	for n, step in ipairs(STEPS) do found[n] = { who = step[1], what = step[4], samples = {} } end
	local seen = 0
	local i = find(log, 1, pids.program, "mark", "call")
	while i do
		seen = seen + 1
		if seen > subject.WARM_UP then
			local moments = cut(log, i, pids)
			for n, phase in ipairs(found) do
				table.insert(phase.samples, (moments[n + 1] - moments[n]) / 1e3)
			end
			table.insert(totals, (moments[#moments] - moments[1]) / 1e3)
		end
		i = find(log, i + 1, pids.program, "mark", "call")
	end
	return found, totals
end

local function engine_of(program)
	for _, stat in ipairs(procfs.children(program.pid)) do
		if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
	end
	error("no engine")
end

---Clones a program n times.
---@param t table of an async.run
---@param options table of subject.start
---@param n integer
---@return { who: string, what: string, samples: number[] }[] phases in order; in us
---@return number[] totals in us
---@return number[] plain totals without stamps, in us
function phases.measure(t, options, n)
	local plain = subject.start(t, options)
	local path = t.tmpdir() .. "/stamps"
	local stamped = subject.start(t, setmetatable({ stamps = path }, { __index = options }))
	local pids = { program = stamped.pid, engine = engine_of(stamped) }
	local without = {}
	for i = 1, n do
		stamped:clone()
		without[i] = plain:clone() / 1e3
	end
	local names = stamps.names { pids.program, pids.engine }
	stamped:stop()
	plain:stop()
	local found, totals = cut_all(stamps.read(path, names), pids)
	return found, totals, without
end

---What the phases took together whose text has the pattern in it, in us.
---@param found table[] of phases.cut
---@param pattern string
---@return number[] samples
function phases.sum(found, pattern)
	local sums = {}
	for _, phase in ipairs(found) do
		if phase.what:find(pattern) then
			for i, us in ipairs(phase.samples) do sums[i] = (sums[i] or 0) + us end
		end
	end
	return sums
end

return phases
