local axis = require "gridcentric.cli.chart.axis"

describe("chart.axis", function()
	it("counts by round steps", function()
		for most, step in pairs { [1] = 1, [4] = 1, [5] = 2, [16] = 5, [34] = 10, [4000] = 1000 } do
			assert.equal(step, axis.count_step(most, 4))
		end
	end)

	local function texts(from, to, n)
		local found = {}
		for i, mark in ipairs(axis.times(from, to, n)) do found[i] = mark.text end
		return table.concat(found, ", ")
	end

	it("marks times since a beginning", function()
		assert.equal("0 s, 10 s, 20 s, 30 s", texts(0, 35, 5))
		assert.equal("0 h, 6 h, 12 h, 18 h, 24 h", texts(0, 86400, 5))
		assert.equal("0 d, 1 d, 2 d", texts(0, 200000, 4))
		assert.equal("10 min, 15 min, 20 min", texts(500, 1300, 4))
	end)

	it("marks times of day, by the local clock", function()
		local noon = os.time { year = 2026, month = 6, day = 1, hour = 12, min = 0 }
		assert.equal("12:00, 12:30, 13:00", texts(noon, noon + 3600, 3))
		assert.equal("12:00:00, 12:00:05", texts(noon, noon + 7, 2))
		assert.equal("00:00, 12:00", texts(noon - 12 * 3600 - 60, noon + 60, 2))
	end)

	it("has a step for any time", function()
		assert.is_true(#axis.times(0, 86400 * 3650, 8) <= 9)
	end)
end)
