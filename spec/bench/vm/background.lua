-- Two ways of QEMU to write a running machine into a file that let it stand still for less than the
-- whole copy takes: background-snapshot, which write-protects the RAM (userfaultfd), and ordinary
-- migration, which sends again what was written meanwhile. Beside RAM of 256 MB, 1 GB, 4 GB; the
-- guest is idle, but for a client that pings it each ms. Compare with `law`, which is the engine's
-- way.
--
-- What both give is a stream, which each clone has to read as a whole into memory of its own: the
-- last column says how long that takes.

local format = require("spec.bench.support.report").format
local uv = require "luv"
local vm = require "spec.bench.support.vm"
local vm_raw = require "spec.bench.support.vm_raw"

local SIZES = { 256, 1024, 4096 } -- MB
local KINDS = { { "memfd", "shared" }, { "private", "private" } }
local WAYS = { "migration", "background-snapshot" }
local MB, GB = 2 ^ 20, 2 ^ 30
local FAST = { ["max-bandwidth"] = 1 << 40, ["downtime-limit"] = 300 }

local function resident_mb(pid)
	for line in io.lines(("/proc/%d/status"):format(pid)) do
		local kb = line:match "^VmRSS:%s+(%d+)"
		if kb then return tonumber(kb) / 1024 end
	end
end

-- Writes it into a file; ms, MB. nil and why, where it does not work.
local function migrate(t, machine, path)
	local client = vm.pinger(t, "127.0.0.1", machine.port)
	vm.longest(client)
	local since = uv.hrtime()
	machine:call("getfd", { fdname = "file" }, path, "w")
	local ok, err = machine:try("migrate", { uri = "fd:file" })
	local state = ok and select(2, pcall(machine.wait_migration, machine))
	local took = (uv.hrtime() - since) / 1e6
	machine:try "cont"
	local gap = ok and vm.longest(client)
	vm.end_pinger(client)
	if type(state) ~= "table" then return nil, err or state end
	return { took = took, gap = gap, downtime = state.downtime,
		mb = uv.fs_stat(path).blocks * 512 / MB }
end

local TITLES = { "RAM, its kind, way", "until whole", "client waits", "QEMU's downtime", "written",
	"more resident", "read by a clone" }

local function ms(value) return format(value, "ms") end
local function mb(value) return ("%.0f MB"):format(value) end

-- A line of the table: what it took, what it cost besides.
local function add(rows, name, result, resident, read)
	rows[#rows + 1] = { name, ms(result.took), ms(result.gap), ms(result.downtime), mb(result.mb),
		resident and mb(resident) or "", read and ms(read) or "" }
end

local function load(t, size, path, files)
	local other = vm_raw.start(t, { memory = size, ram = "private", incoming = true }, files)
	local since = uv.hrtime()
	other:call("getfd", { fdname = "file" }, path)
	other:call("migrate-incoming", { uri = "fd:file" })
	other:wait_migration()
	local took = (uv.hrtime() - since) / 1e6
	other:stop()
	return took
end

-- nil and why, where it does not work.
local function write(t, machine, way, path)
	machine:call("migrate-set-parameters", FAST)
	local is_background = way == "background-snapshot"
	local ok, err = machine:set_capabilities { ["background-snapshot"] = is_background }
	if not ok then return nil, err end
	return migrate(t, machine, path)
end

-- One way in a machine of its own, for it may fill the RAM; adds a line, or says why it does not
-- work.
local function measure(t, report, case, rows, files)
	local name = ("%4d MB %s, %s"):format(case.size, case.kind[2], case.way)
	if vm.available() < 4 * case.size * MB then
		return report:note(("%s: left out, for %.1f GB of memory are not free"):format(name,
			4 * case.size * MB / GB))
	end
	local machine = vm_raw.start(t, { memory = case.size, ram = case.kind[1] }, files)
	local path = machine.folder .. "/state"
	machine:ready()
	machine:ask()
	local before = resident_mb(machine.process.pid)
	local result, err = write(t, machine, case.way, path)
	if result then
		local more = resident_mb(machine.process.pid) - before
		machine:stop()
		add(rows, name, result, more, load(t, case.size, path, files))
		assert(uv.fs_unlink(path))
	else
		machine:stop()
		report:note(("%s: does not work: %s"):format(name, err))
	end
end

-- The engine runs QEMU as another user.
local function measure_unprivileged(t, report, files)
	if uv.getuid() ~= 0 then return end
	local machine = vm_raw.start(t, { memory = 256, ram = "private", unprivileged = true }, files)
	machine:ready()
	local result, err = machine:set_capabilities { ["background-snapshot"] = true }
	report:note("background-snapshot where QEMU runs as nobody: "
		.. (result and "offered" or "does not work: " .. err))
	machine:stop()
end

return {
	title = "background-snapshot and migration into a file, by the size of the RAM; emulated",
	run = function(t, report)
		local files = vm_raw.unpack(t)
		local rows = {}
		for _, size in ipairs(SIZES) do
			for _, kind in ipairs(KINDS) do
				for _, way in ipairs(WAYS) do
					measure(t, report, { size = size, kind = kind, way = way }, rows, files)
				end
			end
		end
		report:table(TITLES, rows)
		measure_unprivileged(t, report, files)
	end,
}
