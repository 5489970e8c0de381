local terminal = require "gridcentric.cli.terminal"

describe("terminal", function()
	it("paints where there is one that shows colours", function()
		local function env(values) return function(name) return values[name] end end
		local colour = "\27[31mx\27[0m"
		assert.equal(colour, terminal.new(true, 80, env {}).paint("red", "x"))
		assert.equal(colour, terminal.new(true, 80, env { NO_COLOR = "" }).paint("red", "x"))
		assert.equal("x", terminal.new(true, 80, env { NO_COLOR = "1" }).paint("red", "x"))
		assert.equal("x", terminal.new(true, 80, env { TERM = "dumb" }).paint("red", "x"))
		assert.equal("x", terminal.new(false, nil, env {}).paint("red", "x"))
		assert.equal("x", terminal.new(true, 80, env {}).paint(nil, "x"))
	end)


	it("knows whether the terminal shows more than ASCII", function()
		for expected, values in pairs {
			[true] = { { LANG = "en_US.UTF-8" }, { LC_ALL = "C.utf8" }, { LC_ALL = "", LANG = "C.UTF-8" } },
			[false] = { {}, { LC_ALL = "C", LANG = "en_US.UTF-8" }, { LC_CTYPE = "de_DE.ISO-8859-1" } },
		} do
			for _, env in ipairs(values) do
				local shown = terminal.new(false, nil, function(name) return env[name] end)
				assert.equal(expected, shown.is_unicode)
			end
		end
	end)
end)
