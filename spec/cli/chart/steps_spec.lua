local steps = require "gridcentric.cli.chart.steps"

describe("chart.steps", function()
	local s = { at = { 0, 10, 11, 30 }, value = { 1, 5, 2, 0 } }

	it("has the least and the most of each column", function()
		assert.same({ low = { 1, 2, 2, 0 }, high = { 1, 5, 2, 0 } }, steps.columns(s, 0, 40, 4))
	end)

	it("has all in one column", function()
		assert.same({ low = { 0 }, high = { 5 } }, steps.columns(s, 0, 40, 1))
	end)

	it("carries a value over where nothing happens", function()
		local columns = steps.columns({ at = { 0 }, value = { 3 } }, 0, 100, 5)
		assert.same({ 3, 3, 3, 3, 3 }, columns.low)
	end)

	it("counts what happens at the very end", function()
		assert.equal(7, steps.columns({ at = { 0, 10 }, value = { 1, 7 } }, 0, 10, 2).high[2])
	end)

	it("knows the most", function()
		assert.equal(5, steps.most(s))
	end)
end)
