-- The keys of `app`: the program that is cloned, or the image of a virtual machine with it. Which
-- of them belong together, and which are needed, is for app.lua to check.

local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"

local schema = {}

local SMALLEST_MIB, LARGEST_MIB = 64, 1024 ^ 2

local file = types.text("%S", "a file name")

local PROGRAM = {
	{ "script", file, unset = 'required with "fork"',
		text = "The program: a Lua script, relative to the policy file's folder.",
		more = "It runs in that folder under `lua5.4`, with `/dev/null` as standard input.",
		synonyms = { "command", "cmd", "program", "exec", "file", "path" } },
	{ "args", options.list(types.text(), "list of texts"), default = {},
		text = "The program's arguments, `arg[1]` and on.",
		synonyms = { "argv", "arguments", "params" } },
	{ "port", types.integer(1, 65535), unset = 'a free one; required with "qemu"',
		text = "Where the program listens.",
		more = "The program finds the number in the environment variable `PORT`.",
		synonyms = { "listen" } },
	{ "start_timeout", types.seconds(0.1, 86400), unset = '10, with "qemu" 60',
		text = "Time the program has until it listens on its port.",
		more = "The boot of a virtual machine counts." },
}

---What can be set for a virtual machine, also on the command line.
schema.MACHINE = options.schema {
	{ "memory", types.mebibytes(SMALLEST_MIB, LARGEST_MIB), default = "256M",
		text = "Memory of the machine, and of each clone, from 64M to 1024G.",
		more = "What a clone has not written to, it shares with the machine it was cloned from.",
		synonyms = { "ram", "mem" } },
	{ "cpus", types.integer(1, 255), default = 1,
		text = "CPUs of the machine, and of each clone.",
		synonyms = { "cpu", "cores", "vcpus" } },
	{ "accel", types.one_of("auto", "kvm", "tcg"), default = "auto",
		text = "How the machine runs: by KVM, or emulated (`tcg`).",
		more = "Emulation works everywhere but is many times slower. `auto` takes KVM if it works." },
	{ "network", types.one_of("user", "tap"), default = "user",
		text = "How the machine is reached: through QEMU (`user`), or by a tap device (`tap`).",
		more = "Tap devices need the capability `CAP_NET_ADMIN`; `user` needs no privilege." },
	{ "spare", types.integer(0, 16), default = 1,
		text = "Clones of the machine that are kept half made, so that the next one comes sooner.",
		more = "Each is a waiting QEMU process with a copy of the memory the machine has written to." },
}

local IMAGE = {
	{ "image", file, unset = 'required with "qemu"',
		text = "The image that the machine boots from, relative to the policy file's folder.",
		synonyms = { "disk" } },
}

schema.APP = options.schema(PROGRAM, IMAGE, schema.MACHINE)

return schema
