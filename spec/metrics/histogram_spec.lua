local histogram = require "gridcentric.metrics.histogram"

describe("histogram", function()
	local function new()
		return histogram.new({ least = 1, doubles = 20, span = 30, slots = 10 }, 0)
	end

	it("is off by less than a tenth of the true quantile", function()
		math.randomseed(3)
		local h, values = new(), {}
		for i = 1, 5000 do
			values[i] = 1 + math.exp(math.random() * 10)
			h:add(1, values[i])
		end
		table.sort(values)
		for _, share in ipairs { 0.1, 0.5, 0.95, 0.99, 0.999 } do
			local exact = values[math.ceil(share * #values)]
			assert.is_true(math.abs(h:quantiles(1, share) / exact - 1) < 0.1)
		end
	end)

	it("gives several quantiles in one go", function()
		local h = new()
		for i = 1, 100 do h:add(1, i) end
		local p50, p99 = h:quantiles(1, 0.5, 0.99)
		assert.is_true(p50 > 45 and p50 < 55 and p99 > 90 and p99 <= 108)
	end)

	it("forgets in its quantiles what is out of the window, but not of all time", function()
		local h = new()
		h:add(0, 1000)
		h:add(20, 10)
		assert.is_true(h:quantiles(20, 1) > 900)
		assert.is_true(h:quantiles(31, 1) < 12)
		assert.equal(0, h:quantiles(100, 0.99))
		assert.equal(2, h.count)
		assert.equal(1010, h.sum)
	end)

	it("holds what is less than the least and more than the most", function()
		local h = new()
		h:add(0, 0)
		assert.is_true(h:quantiles(0, 1) <= 1)
		h:add(0, 1e12)
		assert.equal(2 ^ 20, h:quantiles(0, 1))
		local list = h:cumulative()
		assert.same({ bound = 2 ^ 20, count = 1 }, list[#list])
	end)

	it("counts a value at a bound within it", function()
		local h = new()
		for k = 0, 20 do h:add(0, 2 ^ k) end
		for k, entry in ipairs(h:cumulative()) do
			assert.same({ bound = 2 ^ (k - 1), count = k }, entry)
		end
	end)
end)
