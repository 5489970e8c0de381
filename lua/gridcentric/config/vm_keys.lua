-- What can be said of a virtual machine, in a policy file and on the command line.

local options = require "gridcentric.util.options"
local units = require "gridcentric.util.units"

local MIB = 1024 ^ 2
local LEAST, MOST = 64, 1024 ^ 2 -- MiB

-- Powers of 1024, as QEMU and those who rent out machines have them.
local SIZES = { M = MIB, G = 1024 ^ 3 }

-- A size as "256M", in MiB.
local function memory(value)
	local bytes = type(value) == "string" and units.read(value, SIZES)
	local mib = bytes and math.tointeger(bytes / MIB)
	if mib and mib >= LEAST and mib <= MOST then return mib end
	return options.mismatch("a size as 256M or 2G, from 64M to 1024G,", value)
end

---@type gridcentric.Schema
return {
	memory = { memory, default = "256M" }, -- of each; touched pages are shared with its clones
	cpus = { options.integer(1, 255), default = 1 }, -- of each; a clone's ticket has as many
	accel = { options.one_of("auto", "kvm", "tcg"), default = "auto" }, -- auto: KVM where it works
	network = { options.one_of("user", "tap"), default = "user" }, -- tap needs CAP_NET_ADMIN
	spare = { options.integer(0, 16), default = 1 }, -- kept half made: the next clone comes sooner
}
