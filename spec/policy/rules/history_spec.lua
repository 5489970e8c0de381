local history = require "gridcentric.policy.rules.history"

describe("the history of a value", function()
	-- Notes { at, value } readings and tells all functions' results at the given time.
	local function told(span, readings, now)
		local shape, slices = history.shape(span), {}
		for _, reading in ipairs(readings) do history.record(shape, slices, reading[1], reading[2]) end
		return function(name) return history.find(name)(shape, slices, now) end
	end

	it("has average, extremes, rate and percentiles", function()
		local readings = {}
		for i = 1, 20 do readings[i] = { 100 + i, i } end
		local tell = told(30, readings, 120)
		assert.equal(10.5, tell "avg")
		assert.equal(1, tell "min")
		assert.equal(20, tell "max")
		assert.equal(1, tell "rate")
		assert.equal(10, tell "p50")
		assert.equal(19, tell "p95")
		assert.equal(1, tell "p1")
		assert.equal(20, tell "p99")
	end)

	it("forgets what is older than its span, and a slice", function()
		local readings = { { 100, 50 }, { 103, 1 } }
		assert.equal(50, told(3, readings, 103.9) "max")
		assert.equal(1, told(3, readings, 104) "max")
		assert.equal(1, told(3, readings, 106.9) "max")
		assert.is_nil(told(3, readings, 107) "max")
	end)

	it("weighs each moment alike, however often it was asked", function()
		local readings = {}
		for i = 1, 1000 do readings[i] = { 100 + i / 1001, 10 } end
		readings[1001] = { 101, 0 }
		assert.equal(5, told(30, readings, 101) "avg")
		assert.equal(10, told(30, readings, 101) "max")
	end)

	it("has a rate of nothing after one reading, and falls", function()
		assert.equal(0, told(30, { { 100, 5 } }, 100) "rate")
		assert.equal(-2, told(30, { { 100, 9 }, { 102, 5 } }, 102) "rate")
	end)

	it("knows nothing at first", function()
		for name in pairs(history.FUNCTIONS) do assert.is_nil(told(30, {}, 100)(name)) end
	end)

	it("needs no more memory for longer spans, nor for more readings", function()
		local shape, slices = history.shape(86400), {}
		for now = 0, 200000, 10 do history.record(shape, slices, now, now) end
		assert.is_true(#slices <= 61)
		local tell = history.find "min"
		assert.near(200000 - 86400, tell(shape, slices, 200000), 1441)
	end)

	it("bears a clock that was set back", function()
		local shape, slices = history.shape(3), {}
		history.record(shape, slices, 100, 7)
		history.record(shape, slices, 50, 1)
		assert.equal(1, history.find "max"(shape, slices, 50))
	end)

	it("has functions by name only", function()
		for _, name in ipairs { "p0", "p100", "p", "p05", "sum", "" } do
			assert.is_nil(history.find(name))
		end
	end)
end)
