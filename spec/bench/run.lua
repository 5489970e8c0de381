-- Measures: lua5.4 spec/bench/run.lua [--build DIR] [--vm] [BENCH ...]; see `make bench`.
--
-- Each bench is a file beside this one, or, with --vm, in vm/, that returns
-- { title =, run = function(t, report) }; t is what spec/support/async.lua gives, report is
-- support/report.lua. What is compared is measured in turns within one run, since machines are
-- noisy; aims are for medians. Prints a table, writes DIR/bench.json, or DIR/bench-vm.json. Exits
-- with 1 if a bench could not be run; a missed aim is no failure.

local here = debug.getinfo(1, "S").source:sub(2):match("^(.*)/spec/bench/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local uv = require "luv"

local BENCHES = {
	"clone", "phases", "repair", "ticket", "first_byte", "threshold", "gap", "memory", "proxy",
	"decision", "routes", "replay", "week",
	"decide",
}
local VM_BENCHES = { "clone", "law", "memory", "beside", "background" }
local LIMIT_MS = 300000 -- for each
local CLOEXEC = 0x80000 -- of a descriptor, in /proc

-- The arguments: the folder of the build, the benches asked for, whether they are those in vm/.
local function parse(args)
	local build, names, i, is_vm = "build", {}, 1, false
	while args[i] do
		if args[i] == "--build" then
			i = i + 1
			build = args[i]
		elseif args[i] == "--vm" then
			is_vm = true
		else
			names[#names + 1] = args[i]
		end
		i = i + 1
	end
	return build, #names > 0 and names or is_vm and VM_BENCHES or BENCHES, is_vm
end

-- What a shell or make left open would be inherited by all programs, and be repaired in clones.
local function close_inherited()
	for fd in uv.fs_scandir_next, assert(uv.fs_scandir("/proc/self/fd")) do
		local info = tonumber(fd) > 2 and io.open("/proc/self/fdinfo/" .. fd)
		local flags = info and info:read("a"):match("flags:%s+(%d+)")
		if info then info:close() end
		if flags and tonumber(flags, 8) & CLOEXEC == 0 then uv.fs_close(tonumber(fd)) end
	end
end

local build, names, is_vm = parse(arg)
close_inherited()
build = assert(uv.fs_realpath(build))
uv.os_setenv("GRIDCENTRIC_BUILD", build) -- for spec/support/paths.lua
uv.os_setenv("GRIDCENTRIC_CPUS", "4096") -- the same for all, however many cores there are
require("spec.helper")

local async = require "spec.support.async"
local json = require "dkjson"
local machine = require "spec.bench.support.machine"
local new_report = require("spec.bench.support.report").new

-- Its beginning and its end: in between lies the output of a program.
local function shorten(text)
	if #text < 2000 then return text end
	return text:sub(1, 1000) .. "\n[...]\n" .. text:sub(-1000)
end

local function run(name)
	local bench = require("spec.bench." .. (is_vm and "vm." or "") .. name)
	local report = new_report(name, bench.title)
	local since = uv.hrtime()
	local ok, err = xpcall(async.run, debug.traceback, function(t)
		bench.run(t, report)
	end, { timeout_ms = LIMIT_MS })
	if not ok then
		report.failed = shorten(tostring(err))
		report:note("FAILED: " .. report.failed)
	end
	local result = report:result()
	result.seconds = (uv.hrtime() - since) / 1e9
	return result
end

local function describe(m)
	return ("%s, %d cores%s, %d GB; %s; huge pages: %s; Lua %s, luv %s, libuv %s, HAProxy %s, wrk %s")
		:format(m.cpu, m.cores, m.virtual and " (virtual)" or "", m.memory_gb, m.kernel,
		m.huge_pages, m.lua, m.luv, m.libuv, m.haproxy, m.wrk)
end

local function summary(benches)
	local missed, met, failed = {}, 0, 0
	for _, name in ipairs(names) do
		if benches[name].failed then failed = failed + 1 end
		for _, row in ipairs(benches[name].rows) do
			if row.met then met = met + 1 end
			if row.met == false then missed[#missed + 1] = ("%s (%s)"):format(row.what, name) end
		end
	end
	print(("\n%d aims met, %d missed%s%s"):format(met, #missed,
		#missed > 0 and ": " .. table.concat(missed, "; ") or "",
		failed > 0 and (", %d benches FAILED"):format(failed) or ""))
	return failed == 0
end

local result = { machine = machine(), benches = {} }
print(describe(result.machine))
for _, name in ipairs(names) do result.benches[name] = run(name) end
local ok = summary(result.benches)
local path = build .. (is_vm and "/bench-vm.json" or "/bench.json")
local file = assert(io.open(path, "w"))
assert(file:write(json.encode(result, { indent = true }), "\n"))
assert(file:close())
print("written to " .. path)
os.exit(ok and 0 or 1)
