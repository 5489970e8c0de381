-- Where things lie, as absolute paths. The runner names the build folder.

local uv = require "luv"

local support = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
local root = assert(uv.fs_realpath(support .. "/../.."))
local build = os.getenv("GRIDCENTRIC_BUILD") or root .. "/build"

return {
	root = root,
	build = build,
	gcscale = build .. "/bin/gcscale",
	engine = os.getenv("GRIDCENTRIC_ENGINE") or build .. "/lib/gridcentric/gridcentric-engine",
	agent = build .. "/lib/gridcentric/gridcentric-agent",
	core = build .. "/lib/gridcentric/core.so",
	libgridcentric = build .. "/lib/libgridcentric.so",
	preload = build .. "/lib/gridcentric/gridcentric-preload.so", -- into QEMU
	examples = root .. "/examples",
	scripts = root .. "/spec/scripts", -- programs that specs start
}
