-- The sources as luacheck sees them.

local paths = require "spec.support.paths"

describe("the Lua sources #lint", function()
	it("pass luacheck", function()
		local command = ("cd '%s' && luacheck -q --no-color lua spec examples rockspec 2>&1"):format(
			paths.root)
		local pipe = assert(io.popen(command))
		local output = pipe:read("a")
		assert(pipe:close(), output)
	end)
end)
