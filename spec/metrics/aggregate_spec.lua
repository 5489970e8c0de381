local aggregate = require "gridcentric.metrics.aggregate"

describe("aggregate", function()
	it("makes one number of many", function()
		local found = {}
		for i, name in ipairs(aggregate.NAMES) do found[i] = aggregate.of(name, { 3, 1, 2 }) end
		assert.same({ 6, 2, 1, 3 }, found)
	end)

	it("makes nothing of nothing", function()
		for _, name in ipairs(aggregate.NAMES) do assert.is_nil(aggregate.of(name, {})) end
	end)

	it("takes more values than a function takes arguments", function()
		local values = {}
		for i = 1, 300000 do values[i] = i end
		for _, name in ipairs(aggregate.NAMES) do assert.is_number(aggregate.of(name, values)) end
	end)
end)
