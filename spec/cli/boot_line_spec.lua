local boot_line = require "gridcentric.cli.boot_line"
local terminal = require "gridcentric.cli.terminal"
local uv = require "luv"

describe("boot_line", function()
	it("is shown on a terminal, until it is stopped", function()
		local shown = {}
		local stop = boot_line.start(terminal.new(true, 80, function() end), "chat.img",
			function(text) shown[#shown + 1] = text end)
		stop()
		stop()
		uv.run "nowait" -- luv does not bear that Lua ends before the timer is closed
		assert.same({ "\rchat.img boots: 0 s\27[K", "\r\27[K" }, shown)
	end)

	it("is not shown elsewhere", function()
		boot_line.start(terminal.new(false), "chat.img", error)()
	end)
end)
