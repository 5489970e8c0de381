local text = require "gridcentric.cli.chart.text"

describe("chart.text", function()
	local function chart(is_unicode)
		return text.lines {
			panels = {
				{ title = "load", steps = { at = { 0, 30, 60 }, value = { 0, 12, 1 } }, most = 12 },
				{ title = "clones", steps = { at = { 0, 60 }, value = { 6, 3 } }, most = 6 },
			},
			from = 0, to = 90, width = 15, is_unicode = is_unicode,
		}
	end

	it("is plain ASCII where nothing else is shown", function()
		assert.same({
			"load",
			"12     ####",
			"       ####",
			"       ####",
			"       ####",
			"       ####",
			" 0     ####::::",
		}, table.move(chart(false), 1, 7, 1, {}))
	end)

	it("is of blocks elsewhere", function()
		local lines = chart(true)
		assert.equal("12     ████", lines[2])
		assert.equal(" 0     ████▄▄▄▄", lines[7])
		assert.equal("clones", lines[8])
		assert.equal(" 6 ████████", lines[9])
		assert.equal("   ████████████", lines[12])
	end)

	it("marks the time", function()
		assert.equal("   0 min", chart(true)[15])
		local wide = text.lines {
			panels = { { title = "", steps = { at = { 0 }, value = { 0 } }, most = 0 } },
			from = 0, to = 86400, width = 60, is_unicode = true,
		}
		assert.matches("^  0 h +6 h +12 h +18 h$", wide[8])
		for _, line in ipairs(wide) do assert.is_true(utf8.len(line) <= 60) end
	end)
end)
