-- Where things lie, as absolute paths. The runner names the build folder.

local uv = require "luv"

local support = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")
local root = assert(uv.fs_realpath(support .. "/../.."))
local build = os.getenv("GRIDCENTRIC_BUILD") or root .. "/build"

-- another engine, with what lies beside it: make check-invariants
local engine = os.getenv("GRIDCENTRIC_ENGINE") or build .. "/lib/gridcentric/gridcentric-engine"

return {
	root = root,
	build = build,
	gcscale = build .. "/bin/gcscale",
	engine = engine,
	agent = build .. "/lib/gridcentric/gridcentric-agent",
	core = build .. "/lib/gridcentric/core.so",
	libgridcentric = build .. "/lib/libgridcentric.so",
	preload = engine:gsub("[^/]*$", "gridcentric-preload.so"), -- into QEMU
	examples = root .. "/examples",
	scripts = root .. "/spec/scripts", -- programs that specs start
}
