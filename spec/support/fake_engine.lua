-- Has what a spec starts use the engine of spec/scripts/fake_engine.lua, which plays machines.

local paths = require "spec.support.paths"
local uv = require "luv"

local fake_engine = {}

---@param t table of async.run
---@param play string what happens when a machine is started, see there
---@return table<string, string> env for t.spawn
function fake_engine.env(t, play)
	local path = t.tmpdir() .. "/engine"
	local file = assert(io.open(path, "w"))
	file:write(("#!/bin/sh\nexec lua5.4 '%s/fake_engine.lua'\n"):format(paths.scripts))
	file:close()
	assert(uv.fs_chmod(path, tonumber("755", 8)))
	return { GRIDCENTRIC_ENGINE = path, FAKE_ENGINE_PLAY = play }
end

return fake_engine
