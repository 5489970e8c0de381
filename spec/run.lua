-- Runs spec files with busted, each in a process of its own, two at a time, under
-- a hard time limit, and counts. The last line is `N passed, N failed, N skipped`;
-- the exit status is 0 only if nothing failed. A process that crashes, hangs, holds
-- no test, or leaves processes behind counts as a failure more.
--
-- A spec file that needs longer than others sets its limit with a line `-- limit: 600 s`.
-- Files with the highest limits start first, so that no long one is left for the end.

local here = debug.getinfo(1, "S").source:sub(2):match("^(.*)/spec/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local uv = require "luv"
local argparse = require "argparse"
local json = require "dkjson"
local leaks = require "spec.support.leaks"
local tmp = require "spec.support.tmp"

local root = assert(uv.fs_realpath(here))
assert(uv.chdir(root))
local limit_s = 300 -- for a spec file that does not set its own
local output_max = 20000 -- bytes of a failing file's output that are shown

local function parse_arguments()
	local parser = argparse("spec/run.lua", "Runs the specs, each file in its own process.")
	parser:argument("spec", "A file, or a part of the paths of files."):args("*")
	parser:option("--build", "The folder with what `make` built.", "build")
	parser:option("--jobs", "Files at a time.", 2):convert(tonumber)
	parser:option("--tags", "Only tests with one of these tags.")
	parser:option("--exclude-tags", "No tests with one of these tags.")
	parser:option("--filter", "Only tests with this Lua pattern in their name."):count("*")
	parser:option("--slowness", "Factor on all deadlines.", 1):convert(tonumber)
	parser:option("--env", "NAME=VALUE for the tests; @REPORTS@ is a folder that has to stay "
		.. "empty."):count("*")
	parser:option("--wrap", "Command before lua5.4, as valgrind; @REPORTS@ as above.", "")
	parser:flag("-v --verbose", "Name each test and its time.")
	return parser:parse()
end

local function find_specs(folder, found)
	local names = assert(uv.fs_scandir(folder))
	for name, kind in uv.fs_scandir_next, names do
		local path = folder .. "/" .. name
		if kind == "directory" then find_specs(path, found) end
		if name:match("_spec%.lua$") then found[#found + 1] = path end
	end
	return found
end

local function read_file(path)
	local file = io.open(path, "rb")
	if not file then return "" end
	local text = file:read("a")
	file:close()
	return text
end

local function limit_of(path)
	local seconds = ("\n" .. read_file(path)):match("\n%-%- limit: (%d+) s\n")
	return tonumber(seconds) or limit_s
end

local function longest_first(paths)
	local limits = {}
	for _, path in ipairs(paths) do limits[path] = limit_of(path) end
	table.sort(paths, function(a, b)
		if limits[a] ~= limits[b] then return limits[a] > limits[b] end
		return a < b
	end)
	return paths
end

local function selected_specs(parts)
	local all = find_specs("spec", {})
	table.sort(all)
	if #parts == 0 then return longest_first(all) end
	local found = {}
	for _, part in ipairs(parts) do
		local file = uv.fs_realpath(part)
		if file and uv.fs_stat(file).type == "file" then found[#found + 1] = file end
		for _, path in ipairs(not file and all or {}) do
			if path:find(part, 1, true) then found[#found + 1] = path end
		end
	end
	return found
end

-- ---- a job: one spec file ----------------------------------------------------

local function lua_path(name, ours)
	local users = os.getenv(name .. "_5_4") or os.getenv(name) or ""
	return ours .. ";" .. (users == "" and ";" or users)
end

local function environment(job, options)
	local build = assert(uv.fs_realpath(options.build), "no folder " .. options.build)
	local values = uv.os_environ()
	for name in pairs(values) do
		-- a spec that calls make calls it as a user does
		local of_make = name == "MAKEFLAGS" or name == "MFLAGS" or name == "MAKELEVEL"
		if of_make or name:match("^GRIDCENTRIC_") then values[name] = nil end
	end
	values.LUA_PATH = lua_path("LUA_PATH",
		("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua"):format(root, root, root))
	values.LUA_CPATH = lua_path("LUA_CPATH",
		("%s/lib/?.so;%s/spec/?.so"):format(build, build))
	values.LUA_PATH_5_4, values.LUA_CPATH_5_4, values.LUA_INIT = nil, nil, nil
	values.TMPDIR = job.dir .. "/tmp"
	values.GRIDCENTRIC_BUILD = build
	values.GRIDCENTRIC_REPORT = job.report
	values.GRIDCENTRIC_SLOWNESS = tostring(options.slowness)
	values.GRIDCENTRIC_SPEC = job.mark
	for _, pair in ipairs(options.env) do
		local name, value = pair:match("^([^=]+)=(.*)$")
		values[name] = value:gsub("@REPORTS@", job.reports)
	end
	local list = {}
	for name, value in pairs(values) do list[#list + 1] = name .. "=" .. value end
	return list
end

local function command(job, options)
	local args = {}
	for word in options.wrap:gsub("@REPORTS@", job.reports):gmatch("%S+") do
		args[#args + 1] = word
	end
	for _, word in ipairs{ "lua5.4", "-e", "require 'busted.runner'{ standalone = false }", "-",
		"--helper=spec/helper.lua", "--output=spec/support/report.lua", "--ignore-lua" } do
		args[#args + 1] = word
	end
	if options.tags then table.insert(args, "--tags=" .. options.tags) end
	if options.exclude_tags then table.insert(args, "--exclude-tags=" .. options.exclude_tags) end
	for _, filter in ipairs(options.filter) do table.insert(args, "--filter=" .. filter) end
	table.insert(args, job.path)
	return args
end

local function problem(job, name, message)
	table.insert(job.problems, { name = name, message = message })
end

-- What the report says: counts, and the test under way at the end.
local function read_report(job)
	local under_way, ended = nil, false
	local explained = {}
	for line in read_file(job.report):gmatch("[^\n]+") do
		local e = json.decode(line) or {}
		if e.event == "start" then under_way = e.name else under_way = nil end
		if e.event == "problem" then
			explained[e.name] = true
			problem(job, e.name, e.message)
		elseif e.event == "success" then
			job.passed = job.passed + 1
		elseif e.event == "pending" then
			table.insert(job.skipped, { name = e.name, reason = e.message })
		elseif e.event == "exit" then
			ended = true
		elseif e.event ~= "start" and not explained[e.name] then
			problem(job, e.name, "ended as " .. tostring(e.event))
		end
		if e.ms then table.insert(job.times, { name = e.name, ms = e.ms }) end
	end
	return under_way, ended
end

local function read_output(job)
	local output = read_file(job.output)
	if #output <= output_max then return output end
	return "(cut)..." .. output:sub(-output_max)
end

-- Reports of sanitizers and valgrind: each file that is not empty.
local function check_reports(job)
	for name in uv.fs_scandir_next, assert(uv.fs_scandir(job.reports)) do
		local text = read_file(job.reports .. "/" .. name)
		if text:find("%S") then problem(job, name, text:sub(1, output_max)) end
	end
end

-- Kills what the spec left; tells what it was.
local function check_processes(job)
	local nothing = { children = setmetatable({}, { __index = function() return true end }) }
	local names = {}
	for _, stat in ipairs(leaks.processes(nothing, job.mark)) do
		names[#names + 1] = ("%d %s"):format(stat.pid, stat.command)
	end
	leaks.kill_all(nothing, job.mark)
	if #names > 0 and not job.killed then
		problem(job, "(whole file)", "processes left alive:\n  " .. table.concat(names, "\n  "))
	end
end

local function judge(job, status, signal, filtered)
	local under_way, ended = read_report(job)
	local where = under_way and "in '" .. under_way .. "'" or "outside of a test"
	if job.killed then
		problem(job, "(whole file)", ("%s, %s"):format(job.killed, where))
	elseif not ended or signal ~= 0 then
		problem(job, "(whole file)", ("the process ended with status %d, signal %d, %s"):format(
			status, signal, where))
	elseif status ~= 0 and #job.problems == 0 then
		problem(job, "(whole file)", "exit status " .. status)
	elseif #job.times == 0 and #job.problems == 0 and not filtered then
		problem(job, "(whole file)", "holds no test")
	end
	check_processes(job)
	check_reports(job)
	if #job.problems > 0 then job.text = read_output(job) end
end

local function kill_job(job, why)
	job.killed = job.killed or why
	uv.kill(job.pid, "sigkill")
end

-- Starts one; done(job) when it is over and judged.
local function start_job(job, options, done)
	job.dir = tmp.new()
	job.report, job.output = job.dir .. "/report", job.dir .. "/output"
	job.reports = job.dir .. "/reports"
	job.mark = job.dir:match("[^/]*$")
	assert(uv.fs_mkdir(job.dir .. "/tmp", 448))
	assert(uv.fs_mkdir(job.reports, 448))
	local output = assert(uv.fs_open(job.output, "w", 384))
	local args = command(job, options)
	local timer, handle = uv.new_timer(), nil
	local started = uv.hrtime()
	handle, job.pid = uv.spawn(table.remove(args, 1), {
		args = args, env = environment(job, options), cwd = root,
		stdio = { nil, output, output }, detached = true,
	}, function(status, signal)
		timer:close()
		handle:close()
		job.seconds = (uv.hrtime() - started) / 1e9
		judge(job, status, signal, options.tags or options.exclude_tags or #options.filter > 0)
		tmp.remove(job.dir)
		done(job)
	end)
	assert(handle, job.pid)
	uv.fs_close(output)
	local limit = limit_of(job.path) * options.slowness
	timer:start(math.ceil(limit * 1000), 0, function()
		kill_job(job, ("killed: not over within %d s"):format(limit))
	end)
end

-- ---- all of them -------------------------------------------------------------

local function indent(text) return "    " .. text:gsub("\n", "\n    ") end

local function show(job, verbose)
	if #job.times == 0 and #job.problems == 0 then return end -- no test was chosen
	print(("%s %s (%d passed, %d failed, %d skipped, %.1f s)"):format(
		#job.problems == 0 and "ok  " or "FAIL", job.path, job.passed, #job.problems,
		#job.skipped, job.seconds))
	if verbose then
		for _, test in ipairs(job.times) do print(("  %6d ms  %s"):format(test.ms, test.name)) end
	end
	for _, p in ipairs(job.problems) do print("  " .. p.name .. "\n" .. indent(p.message)) end
	if job.text and job.text:find("%S") then print("  its output\n" .. indent(job.text)) end
	io.stdout:flush()
end

local function run_all(paths, options)
	local jobs, running, next_path = {}, {}, 1
	local function start()
		while #jobs < #paths and next_path <= #paths do
			local active = 0
			for _ in pairs(running) do active = active + 1 end
			if active >= options.jobs or options.stopped then return end
			local job = {
				path = paths[next_path], passed = 0, problems = {}, skipped = {}, times = {},
			}
			next_path = next_path + 1
			jobs[#jobs + 1], running[job] = job, true
			start_job(job, options, function()
				running[job] = nil
				show(job, options.verbose)
				start()
			end)
		end
	end
	for _, name in ipairs{ "sigint", "sigterm" } do
		local signal = uv.new_signal()
		signal:start(name, function()
			options.stopped = true
			for job in pairs(running) do kill_job(job, "killed by " .. name) end
		end)
		signal:unref()
	end
	start()
	uv.run()
	return jobs
end

-- The skipped with their reasons, then the closing line; true if nothing failed.
local function summary(jobs, paths)
	local passed, failed, skipped = 0, #paths - #jobs, 0
	for _, job in ipairs(jobs) do
		passed, failed = passed + job.passed, failed + #job.problems
		for _, test in ipairs(job.skipped) do
			skipped = skipped + 1
			local reason = (test.reason or "no reason given"):gsub("^%S-:%d+: ", "")
			print(("skipped: %s: %s: %s"):format(job.path, test.name, reason))
		end
	end
	if #paths == 0 then
		print("no spec file matches")
		failed = 1
	end
	print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
	return failed == 0
end

local options = parse_arguments()
local paths = selected_specs(options.spec)
local ok, jobs = xpcall(run_all, debug.traceback, paths, options)
if not ok then print(jobs) end
os.exit(summary(ok and jobs or {}, paths) and 0 or 1, true)
