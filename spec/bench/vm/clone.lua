-- A virtual machine cloned from inside: from clone() to the callback in the clone, what the master
-- notices, and how long a machine takes that is booted instead.
--
-- All moments are the host's: the master is told to clone itself (TCP), the clone sends a metric
-- first of all in its callback. So each time has in it what "a word there and back" takes.

local stats = require "spec.bench.support.stats"
local vm = require "spec.bench.support.vm"
local vm_trace = require "spec.bench.support.vm_trace"

local N, ROUNDS, TRACED, BOOTS = 10, 5, 5, 3
local MANY = 8

local function last(list) return math.max(table.unpack(list)) end

local function boot(t, report, accel)
	local took = {}
	for i = 1, BOOTS do
		local machine = vm.start(t, { accel = accel })
		took[i] = machine.boot_ms
		machine:stop()
	end
	return report:samples("a fresh VM, until it is ready", took, { unit = "ms" })
end

-- One at a time. ask(machine) -> what was made
local function measure_one(machine, ask)
	local there, ready = {}, {}
	for i = 1, N do
		local made = ask(machine)
		there[i], ready[i] = made.there[1], made.ready[1]
		machine:finish(made)
	end
	return there, ready
end

local function ahead(n)
	return function(machine)
		machine:ticket(n)
		return machine:clone(n)
	end
end

local function at_once(n)
	return function(machine)
		machine:settle()
		return machine:now(n)
	end
end

local function measure_spare(t, report, accel)
	local machine = vm.start(t, { accel = accel, spare = 1 })
	local there, ready = measure_one(machine, at_once(1))
	machine:stop()
	report:samples("the same with one kept half made (spare)", there, { unit = "ms" })
	report:samples("  to ready", ready, { unit = "ms" })
end

local function measure_words(machine, report)
	local took = {}
	for i = 1, 50 do took[i] = machine:ping() end
	report:samples("method: a word there (TCP) and back (metric)", took, { unit = "ms" })
end

local function measure_many(machine, report)
	for _, case in ipairs {
		{ ("%d of one ticket, granted long before: all there"):format(MANY), ahead, 1000 },
		{ ("%d of one ticket, request_ticket() and clone() at once"):format(MANY), at_once },
	} do
		local all = {}
		for i = 1, ROUNDS do
			local made = case[2](MANY)(machine)
			all[i] = last(made.there)
			machine:finish(made)
		end
		report:samples(case[1], all, { unit = "ms", aim = case[3] })
	end
end

local function measure_parts(t, report, accel)
	local trace = vm_trace.new(t)
	local machine = vm.start(t, { accel = accel, qemu = trace.wrapper })
	local samples = {}
	for _ = 1, TRACED do
		machine:ticket(1)
		local made = machine:clone(1)
		for i, ms in ipairs(trace:cut(machine.pid, made)) do
			samples[i] = samples[i] or {}
			table.insert(samples[i], ms)
		end
		machine:finish(made)
	end
	machine:stop()
	report:note "of these, in another run, where QEMU logs:"
	for i, text in ipairs(vm_trace.PARTS) do
		report:samples("  " .. text, samples[i], { unit = "ms" })
	end
end

-- The longest wait of a client of the master during a clone, and in as much time without one; as
-- the engine itself saw it.
local function measure_pause(t, machine, report)
	local client = vm.pinger(t, machine.ip, vm.PORT)
	local with, without, stopped, mb = {}, {}, {}, {}
	machine:snapshots(N + N + 2 * ROUNDS) -- those of before
	for i = 1, N do
		machine:ticket(1)
		vm.longest(client)
		local made = machine:clone(1)
		with[i] = vm.longest(client)
		machine:finish(made)
		machine:settle()
		vm.longest(client)
		vm.pause(t, math.ceil(made.ready[1]))
		without[i] = vm.longest(client)
	end
	vm.end_pinger(client)
	for i, stop in ipairs(machine:snapshots(N)) do
		stopped[i], mb[i] = stop.pause_ms, stop.bytes / 1e6
	end
	report:samples("QEMU of the master stood still", stopped, { unit = "ms", aim = 40 })
	report:samples("longest wait of a client of the master, each ms", with, { unit = "ms" })
	report:samples("the same without a clone", without, { unit = "ms" })
	report:note(("%.0f MB of the master's RAM are touched"):format(stats.median(mb)))
end

local function measure(t, report, accel)
	report:note(("%s, 256 MB RAM, 1 CPU:"):format(accel))
	local booted = boot(t, report, accel)
	local machine = vm.start(t, { accel = accel })
	measure_words(machine, report)
	local there, ready = measure_one(machine, ahead(1))
	local clone = report:samples("ticket granted long before: clone() to callback", there,
		{ unit = "ms", aim = accel == "tcg" and 80 or nil })
	local whole = report:samples("  to ready: also reached over the network", ready, { unit = "ms" })
	there, ready = measure_one(machine, at_once(1))
	report:samples("request_ticket() and clone() at once: to callback", there, { unit = "ms" })
	report:samples("  to ready", ready, { unit = "ms" })
	measure_spare(t, report, accel)
	report:value("booting takes times clone() to callback", booted / clone,
		{ aim = 20, at_least = true })
	report:value("booting takes times clone() to ready", booted / whole)
	measure_many(machine, report)
	measure_pause(t, machine, report)
	machine:stop()
	measure_parts(t, report, accel)
end

return {
	title = "clone() in a virtual machine, and what the master notices",
	run = function(t, report)
		vm.each_accelerator(t, report, function(accel) measure(t, report, accel) end)
	end,
}
