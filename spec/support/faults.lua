-- Faults of the kernel, made by libraries that are preloaded into a program (spec/c/fault_*.c).
--
--	t.spawn{ "env", faults.netlink "done", program, ... }
--	t.spawn{ program, env = faults.env("netlink", "done") }

local paths = require "spec.support.paths"

local faults = {}

---The environment with which a program has the fault. What is preloaded already stays.
---@param library string fault_NAME.c
---@param fault string what the library is to do
---@return table<string, string>
function faults.env(library, fault)
	local preloaded = os.getenv "LD_PRELOAD" or ""
	local path = ("%s/spec/gridcentric/fault_%s.so"):format(paths.build, library)
	return {
		LD_PRELOAD = preloaded == "" and path or preloaded .. ":" .. path,
		["SPEC_" .. library:upper() .. "_FAULT"] = fault,
	}
end

---The same for env(1): the arguments to be put before the program's.
---@return string ... two of them
function faults.netlink(fault)
	local env = faults.env("netlink", fault)
	return "LD_PRELOAD=" .. env.LD_PRELOAD, "SPEC_NETLINK_FAULT=" .. env.SPEC_NETLINK_FAULT
end

return faults
