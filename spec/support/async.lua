-- Runs the body of a spec as a coroutine on the luv loop, and fails it for what it
-- missed or left behind.
--
--	local async = require "spec.support.async"
--
--	it("answers", function()
--		async.run(function(t)
--			local server = t.spawn{ "lua5.4", "server.lua" }
--			local port = server:line("listening on (%d+)")
--			assert.equal(200, t.http{ port = port, path = "/" }.status)
--			server:stop()
--		end)
--	end)
--
-- A run fails on an error in the body, in a luv callback or in a coroutine that it
-- started; on a callback that was expected and did not come; on luv handles and
-- descriptors left open; on processes left alive, also grandchildren and clones
-- (they are killed). Nothing here waits for a fixed time: whatever waits has a
-- deadline, and fails with what it waited for.
--
-- Given to the body:
--	t.spawn                                     process.lua
--	t.connect, t.listen, t.free_port            tcp.lua
--	t.http, t.http_connect                      http.lua
--	t.expect(fn, n)      a callback that has to come n times (1)
--	t.go(fn, ...)        starts a coroutine; the run ends when all have
--	t.background(fn, ...)  the same, but the run does not wait for it
--	t.all{fn, fn, ...}   runs functions side by side, gives their first results
--	t.wait_until(predicate, deadline_ms, what)  gives the predicate's value
--	t.suspend(what, deadline_ms, start)         waits until start's argument is called
--	t.tmpdir()           a new folder, gone after the run
--	t.defer(fn)          called at the end of the run, last one first
--	t.state              this run's GRIDCENTRIC_STATE, set for its children
--	t.mark               this run's GRIDCENTRIC_SPEC

local uv = require "luv"
local guard = require "spec.support.guard"
local leaks = require "spec.support.leaks"
local slowness = require "spec.support.slowness"
local tmp = require "spec.support.tmp"

local async = {}

-- Deadlines are there to end a hung test, not to measure: a busy machine must not reach them.
local default_timeout_ms = 120000 -- of a run, and of a single wait
local default_grace_ms = 30000 -- within which processes that were ended must be gone

local count = 0
local current -- the run under way

-- An error value with the traceback of where it was raised; busted's own failures
-- stay what they are.
local function with_trace(err, trace)
	if type(err) == "string" then return err .. trace end
	local metatable = debug.getmetatable(err)
	if metatable and metatable.__type == "failure" and type(err.message) == "string" then
		err.message = err.message .. trace
	end
	return err
end

local function fail(run, err)
	if run.err == nil then run.err = err == nil and "error: nil" or err end
end

local function resume(run, task, ...)
	local ok, err = coroutine.resume(task, ...)
	if not ok then fail(run, with_trace(err, "\n" .. debug.traceback(task))) end
	if coroutine.status(task) == "dead" then run.tasks[task] = nil end
end

local function start_task(run, fn, ...)
	local task = coroutine.create(fn)
	run.tasks[task] = "nothing"
	resume(run, task, ...)
end

-- One that does not hold up the end of the run.
local function start_background(run, fn, ...)
	start_task(run, function(...)
		run.background[coroutine.running()] = true
		fn(...)
	end, ...)
end

local function suspend(run, what, deadline_ms, start)
	local task = coroutine.running()
	assert(run.tasks[task], "called outside of a run's coroutines")
	local values, waiting, late
	local timer = uv.new_timer()
	local function wake(...)
		if values then return end
		values = table.pack(...)
		timer:close()
		if waiting then resume(run, task) end
	end
	deadline_ms = deadline_ms or run.timeout_ms
	timer:start(math.ceil(deadline_ms * slowness), 0, function()
		late = true
		wake()
	end)
	local ok, err = xpcall(start, debug.traceback, wake)
	if not ok then
		wake()
		error(err, 0)
	end
	if not values then
		waiting = true
		run.tasks[task] = what
		coroutine.yield()
	end
	if late then error(("%s: not within %d ms"):format(what, deadline_ms), 0) end
	return table.unpack(values, 1, values.n)
end

local function wait_until(t, predicate, deadline_ms, what)
	deadline_ms = deadline_ms or default_timeout_ms
	local limit = uv.hrtime() + deadline_ms * slowness * 1e6
	while true do
		local value = predicate()
		if value then return value end
		if uv.hrtime() > limit then
			error(("%s: not within %d ms"):format(what or "a condition", deadline_ms), 0)
		end
		t.suspend(what or "a condition", nil, function(wake)
			local timer = uv.new_timer()
			timer:start(2, 0, function()
				timer:close()
				wake()
			end)
		end)
	end
end

local function expect(run, fn, n)
	local where = debug.getinfo(2, "Sl") -- t.expect left by a tail call
	local expected = {
		wanted = n or 1,
		came = 0,
		where = where.short_src .. ":" .. where.currentline,
	}
	run.expected[#run.expected + 1] = expected
	return guard.protect(function(...)
		expected.came = expected.came + 1
		return fn(...)
	end)
end

local function all(run, t, functions)
	local results, left = {}, #functions
	if left == 0 then return results end
	t.suspend("all of " .. left, run.timeout_ms, function(wake)
		for i, fn in ipairs(functions) do
			start_task(run, function()
				results[i] = fn(i)
				left = left - 1
				if left == 0 then wake() end
			end)
		end
	end)
	return results
end

-- What the body gets.
local function new_api(run)
	local t = { state = run.dir .. "/state", mark = run.mark }
	function t.suspend(what, deadline_ms, start) return suspend(run, what, deadline_ms, start) end
	function t.wait_until(predicate, deadline_ms, what)
		return wait_until(t, predicate, deadline_ms, what)
	end
	function t.expect(fn, n) return expect(run, fn, n) end
	function t.go(fn, ...) start_task(run, fn, ...) end
	function t.background(fn, ...) start_background(run, fn, ...) end
	function t.all(functions) return all(run, t, functions) end
	function t.defer(fn) run.deferred[#run.deferred + 1] = fn end
	function t.tmpdir() return assert(uv.fs_mkdtemp(run.dir .. "/XXXXXX")) end
	for _, name in ipairs{ "process", "tcp", "http" } do
		require("spec.support." .. name)(t)
	end
	return t
end

local function missed(run)
	local texts = {}
	for _, e in ipairs(run.expected) do
		if e.came ~= e.wanted then
			texts[#texts + 1] = ("callback from %s: expected %d times, came %d times"):format(
				e.where, e.wanted, e.came)
		end
	end
	return texts
end

local function is_over(run)
	if run.err ~= nil then return true end
	for task in pairs(run.tasks) do
		if not run.background[task] then return false end
	end
	if run.late then return true end
	for _, e in ipairs(run.expected) do
		if e.came < e.wanted then return false end
	end
	return true
end

local function turn_loop(run)
	local timer = uv.new_timer()
	timer:start(math.ceil(run.timeout_ms * slowness), 0, function()
		run.late = true
		for task, what in pairs(run.tasks) do
			fail(run, ("not over within %d ms, waiting for %s\n%s"):format(
				run.timeout_ms, what, debug.traceback(task)))
		end
	end)
	while not is_over(run) do uv.run("once") end
	timer:close()
end

-- Waits for the processes that are on their way out, names and kills the others.
local function end_processes(run)
	local limit = uv.hrtime() + run.grace_ms * slowness * 1e6
	local found
	local clean = 0
	repeat -- twice nothing: during an exec a process shows no environment
		uv.run("nowait")
		found = leaks.processes(run.before, run.mark)
		clean = #found == 0 and clean + 1 or 0
		if clean == 0 then uv.sleep(2) end
	until clean == 2 or uv.hrtime() > limit or run.err ~= nil
	local texts = {}
	for _, stat in ipairs(found) do
		texts[#texts + 1] = ("process left %s: %d %s"):format(
			stat.state == "Z" and "without being waited for" or "alive", stat.pid, stat.command)
	end
	leaks.kill_all(run.before, run.mark, function() uv.run("nowait") end)
	return texts
end

-- What the run left; all of it is removed. The order matters: an ended process
-- closes its handle, a handle its descriptor.
local function clean_up(run)
	local texts = missed(run)
	local function add(more) table.move(more, 1, #more, #texts + 1, texts) end
	for task in pairs(run.tasks) do coroutine.close(task) end
	add(end_processes(run))
	for i = #run.deferred, 1, -1 do
		local ok, err = xpcall(run.deferred[i], debug.traceback)
		if not ok then add{ err } end
	end
	run.tasks, run.deferred = {}, {}
	for _ = 1, 2 do uv.run "nowait" end -- util/close.lua closes by a turn of the loop
	add(leaks.handles(run.before))
	add(leaks.descriptors(run.before))
	tmp.remove(run.dir)
	return texts
end

local function set_environment(values)
	local old = {}
	for name, value in pairs(values) do
		old[name] = os.getenv(name) or false
		if value then uv.os_setenv(name, value) else uv.os_unsetenv(name) end
	end
	return old
end

local function new_run(options)
	count = count + 1
	local before = leaks.snapshot()
	local dir = tmp.new()
	assert(uv.fs_mkdir(dir .. "/state", 448)) -- 0700
	local outer = os.getenv("GRIDCENTRIC_SPEC") or "spec-" .. uv.os_getpid()
	return {
		timeout_ms = options.timeout_ms or default_timeout_ms,
		grace_ms = options.grace_ms or default_grace_ms,
		before = before,
		dir = dir,
		mark = ("%s.%d"):format(outer, count),
		tasks = {}, -- coroutine -> what it waits for
		background = setmetatable({}, { __mode = "k" }), -- those that nobody waits for
		expected = {},
		deferred = {},
	}
end

---Runs body(t) to its end; raises what went wrong. See the top of this file.
---@param body fun(t: table)
---@param options? {timeout_ms: integer?, grace_ms: integer?} deadline of the whole run (2 minutes);
---time that its processes have to be gone at its end (30 s)
function async.run(body, options)
	assert(not current, "async.run inside async.run")
	local run = new_run(options or {})
	local environment = set_environment{
		GRIDCENTRIC_STATE = run.dir .. "/state",
		GRIDCENTRIC_SPEC = run.mark,
	}
	current = run
	local outer = guard.handler
	guard.handler = function(err, trace) fail(run, with_trace(err, trace)) end

	start_task(run, body, new_api(run))
	turn_loop(run)
	local left = clean_up(run)

	guard.handler, current = outer, nil
	set_environment(environment)
	if run.err ~= nil then error(run.err, 0) end
	if #left > 0 then error("left behind by the run:\n  " .. table.concat(left, "\n  "), 2) end
end

return async
