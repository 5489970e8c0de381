-- Where the time of a clone goes, by what QEMU itself logs (-trace), and the owner.
--
--	local trace = vm_trace.new(t)
--	local machine = vm.start(t, { accel =, qemu = trace.wrapper })
--	local made = machine:clone(1)
--	local parts = trace:cut(machine.pid, made)     ms of each of vm_trace.PARTS

local uv = require "luv"
local vm = require "spec.bench.support.vm"

local Trace = { __name = "bench vm trace" }
Trace.__index = Trace

local vm_trace = {}

vm_trace.PARTS = {
	"clone() to QEMU standing still: agent, engine, freezer",
	"the master stands still: rest of the RAM, devices",
	"to the state loaded in the QEMU of the clone",
	"to the clone running: cont",
	"to its callback: the agent in the clone",
	"(from running, too: until it is told as ready)",
}

function vm_trace.new(t)
	local folder = vm.open_folder(t)
	local seconds, us = uv.gettimeofday()
	local offset = (seconds * 1000000 + us) * 1000 - uv.hrtime() -- ns from one clock to the other
	return setmetatable({ folder = folder, offset = offset, wrapper = vm.wrapper(t, ([[
set -- "$@" -msg timestamp=on -D "%s/%%d" -trace vm_state_notify -trace migrate_set_state
]]):format(folder)) }, Trace)
end

-- The moments, in ns of CLOCK_MONOTONIC, at which a QEMU logged what has the pattern in it.
local function moments(self, pid, pattern)
	local found = {}
	for line in io.lines(("%s/%d"):format(self.folder, pid)) do
		local seconds, us = line:match "@(%d+)%.(%d+):"
		if seconds and line:find(pattern) then
			found[#found + 1] = (seconds * 1000000 + us) * 1000 - self.offset
		end
	end
	return found
end

local function first_after(list, at)
	for _, moment in ipairs(list) do
		if moment > at then return moment end
	end
	error "QEMU has not logged it"
end

---@param master integer process id
---@param made table of Machine:clone(1)
---@return number[] ms
function Trace:cut(master, made)
	local clone = made.pids[1]
	local stopped = first_after(moments(self, master, "vm_state_notify running 0"), made.call)
	local resumed = first_after(moments(self, master, "vm_state_notify running 1"), stopped)
	local loaded = first_after(moments(self, clone, "migrate_set_state new state completed"), 0)
	local runs = first_after(moments(self, clone, "vm_state_notify running 1"), loaded)
	local at = { made.call, stopped, resumed, loaded, runs, made.call + made.there[1] * 1e6 }
	local parts = {}
	for i = 1, #at - 1 do parts[i] = (at[i + 1] - at[i]) / 1e6 end
	parts[#at] = (made.call + made.ready[1] * 1e6 - runs) / 1e6
	return parts
end

return vm_trace
