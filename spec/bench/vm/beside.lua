-- What QEMU has itself to keep a machine and to go on from it: savevm and loadvm, migration into a
-- file, and from it. The guest is the same as that of the other benches; what is told of is until a
-- client is answered.

local uv = require "luv"
local vm = require "spec.bench.support.vm"
local vm_raw = require "spec.bench.support.vm_raw"

local MEMORY = 256
local N = 3
local MB = 2 ^ 20
local FAST = { ["max-bandwidth"] = 1 << 40, ["downtime-limit"] = 2000 }

local function ms_since(since) return (uv.hrtime() - since) / 1e6 end

local function bytes_on_disk(path) return uv.fs_stat(path).blocks * 512 end

-- Lists of samples by name.
local function add(samples, name, value)
	samples[name] = samples[name] or {}
	table.insert(samples[name], value)
end

local function new_disk(t)
	local path = t.tmpdir() .. "/disk"
	local p = t.spawn { "qemu-img", "create", "-q", "-f", "qcow2", path, "1G" }
	assert(p:wait(60000) == 0, p:describe())
	return path
end

-- ---- the engine's way, for the same table ----------------------------------------------------

local function measure_clone(t, samples)
	local machine = vm.start(t, { memory = MEMORY, accel = "tcg" })
	for _ = 1, N do
		machine:ticket(1)
		local made = machine:clone(1)
		add(samples, "clone", made.ready[1])
		machine:finish(made)
	end
	for _, stop in ipairs(machine:snapshots(N)) do add(samples, "clone stop", stop.pause_ms) end
	machine:stop()
end

-- ---- savevm, loadvm --------------------------------------------------------------------------

local function save(t, machine, disk, samples)
	local client = vm.pinger(t, "127.0.0.1", machine.port)
	vm.longest(client)
	local since = uv.hrtime()
	machine:human "savevm kept"
	add(samples, "savevm", ms_since(since))
	add(samples, "savevm gap", vm.longest(client))
	add(samples, "savevm bytes", bytes_on_disk(disk) / MB) -- what was deleted is used again
	vm.end_pinger(client)
end

local function load_in_place(machine, samples)
	local since = uv.hrtime()
	machine:human "loadvm kept"
	machine:ask()
	add(samples, "loadvm", ms_since(since))
end

local function measure_savevm(t, files, samples)
	local disk = new_disk(t)
	local machine = vm_raw.start(t, { memory = MEMORY, disk = disk }, files)
	machine:ready()
	machine:ask()
	add(samples, "boot", ms_since(machine.since))
	for i = 1, N do
		save(t, machine, disk, samples)
		load_in_place(machine, samples)
		if i < N then machine:human "delvm kept" end
	end
	machine:stop()
	local other = vm_raw.start(t, { memory = MEMORY, disk = disk, args = { "-loadvm", "kept" } },
		files)
	other:ask()
	add(samples, "-loadvm", ms_since(other.since))
	other:stop()
end

-- ---- migration -------------------------------------------------------------------------------

local function migrate(t, machine, path, samples)
	local client = vm.pinger(t, "127.0.0.1", machine.port)
	vm.longest(client)
	local since = uv.hrtime()
	machine:call("getfd", { fdname = "file" }, path, "w")
	machine:call("migrate", { uri = "fd:file" })
	local state = machine:wait_migration()
	add(samples, "migrate", ms_since(since))
	machine:call "cont"
	add(samples, "migrate gap", vm.longest(client))
	add(samples, "migrate downtime", state.downtime)
	add(samples, "migrate bytes", bytes_on_disk(path) / MB)
	vm.end_pinger(client)
end

local function load(t, files, path, samples)
	local other = vm_raw.start(t, { memory = MEMORY, incoming = true }, files)
	local since = uv.hrtime()
	other:call("getfd", { fdname = "file" }, path)
	other:call("migrate-incoming", { uri = "fd:file" })
	other:wait_migration()
	other:call "cont"
	other:ask()
	add(samples, "incoming", ms_since(since))
	add(samples, "incoming with start", ms_since(other.since))
	other:stop()
end

local function measure_migration(t, files, samples)
	local machine = vm_raw.start(t, { memory = MEMORY }, files)
	machine:ready()
	machine:ask()
	machine:call("migrate-set-parameters", FAST)
	local path = t.tmpdir() .. "/state"
	for _ = 1, N do
		migrate(t, machine, path, samples)
		load(t, files, path, samples)
	end
	machine:stop()
end

-- ---- the table -------------------------------------------------------------------------------

local ROWS = {
	{ "clone", "this project: clone() to ready, made ahead", "ms" },
	{ "clone stop", "  QEMU stands still", "ms" },
	{ "boot", "QEMU alone: boot, until a client is answered", "ms" },
	{ "savevm", "savevm (QEMU stands still)", "ms" },
	{ "savevm gap", "  longest wait of a client", "ms" },
	{ "savevm bytes", "  written", "MB" },
	{ "loadvm", "loadvm into the same QEMU, until a client is answered", "ms" },
	{ "-loadvm", "a new QEMU -loadvm, until a client is answered", "ms" },
	{ "migrate", "migrate into a file", "ms" },
	{ "migrate downtime", "  downtime, as QEMU says", "ms" },
	{ "migrate gap", "  longest wait of a client, until cont", "ms" },
	{ "migrate bytes", "  written", "MB" },
	{ "incoming", "loaded by a QEMU made ahead, until a client is answered", "ms" },
	{ "incoming with start", "  and where it has to be started", "ms" },
}

return {
	title = ("beside QEMU's own ways; emulated, %d MB of RAM, files in $TMPDIR")
		:format(MEMORY),
	run = function(t, report)
		local samples = {}
		local files = vm_raw.unpack(t)
		measure_clone(t, samples)
		measure_savevm(t, files, samples)
		measure_migration(t, files, samples)
		for _, row in ipairs(ROWS) do
			report:samples(row[2], samples[row[1]], { unit = row[3] })
		end
	end,
}
