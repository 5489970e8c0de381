-- What an idle clone takes, beside the master: Pss, so that what is shared counts in parts; and
-- whether QEMU's cache of translated code may be smaller without the clone being slower.

local memory = require "spec.bench.support.memory"
local stats = require "spec.bench.support.stats"
local vm = require "spec.bench.support.vm"

local CACHES = { "default", 8, 16, 32, 64 } -- MB: -accel tcg,tb-size=
local CLONES, TRIES = 4, 6
local IDLE_MS = 10000

-- Only those of clones are smaller.
local SCRIPT = [[
is_clone=
for word; do [ "$word" != -incoming ] || is_clone=1; done
if [ "$is_clone" ]; then
	for word; do
		shift
		[ "$word" != tcg ] || word=tcg,tb-size=%d
		set -- "$@" "$word"
	done
fi]]

-- MB of all processes: Pss, of that anonymous.
local function weigh(pids)
	local all, own = {}, {}
	for i, pid in ipairs(pids) do
		local pss = memory.proportional(pid)
		all[i], own[i] = pss.all / 1024, pss.anon / 1024
	end
	return all, own
end

local function measure(t, report, accel, cache)
	local name = accel
	if accel == "tcg" then
		name = cache == "default" and "tcg, code cache as by default"
			or ("tcg, code cache of %d MB"):format(cache)
	end
	local qemu = cache ~= "default" and vm.wrapper(t, SCRIPT:format(cache)) or nil
	local machine = vm.start(t, { accel = accel, qemu = qemu })
	local there = {}
	for i = 1, TRIES do
		machine:ticket(1)
		local made = machine:clone(1)
		there[i] = made.there[1]
		machine:finish(made)
	end
	machine:ticket(CLONES)
	local made = machine:clone(CLONES)
	vm.pause(t, IDLE_MS)
	local clones, own = weigh(made.pids)
	local master, master_own = weigh { machine.pid }
	local clone = report:samples(name .. ": Pss of a clone", clones, { unit = "MB" })
	report:samples("  of that its own: not of the RAM that clones share", own, { unit = "MB" })
	report:value("  Pss of the master", stats.median(master), { unit = "MB" })
	report:value("    of that its own", stats.median(master_own), { unit = "MB" })
	report:value("  a clone is of the master", clone / stats.median(master),
		{ aim = accel == "kvm" and 0.25 or nil })
	report:samples("  clone() to callback", there, { unit = "ms" })
	machine:stop()
end

return {
	title = ("memory of a clone of 256 MB, %d s after clone(), one of %d"):format(IDLE_MS // 1000,
		CLONES),
	run = function(t, report)
		report:note "(what the engine has mapped of the master's RAM, to copy it, counts there as half)"
		vm.each_accelerator(t, report, function(accel)
			for _, cache in ipairs(accel == "tcg" and CACHES or { "default" }) do
				measure(t, report, accel, cache)
			end
		end)
	end,
}
