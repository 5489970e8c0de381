local exposition = require "gridcentric.metrics.exposition"
local parser = require "gridcentric.metrics.exposition_parser"

describe("exposition", function()
	it("writes families with help, type and samples", function()
		assert.equal([[
# HELP a_total Help\nof two \\ lines.
# TYPE a_total counter
a_total 12
a_total{x="1",y="a\"b\\c\nd"} 0.5
]], exposition.render {
			{ name = "a_total", type = "counter", help = "Help\nof two \\ lines.",
				{ 12.0 }, { 0.5, { y = 'a"b\\c\nd', x = 1 } } },
			{ name = "empty", type = "gauge", help = "Left out." },
		})
	end)

	it("writes numbers that say the same when read", function()
		for _, value in ipairs { 0, -1, 1e15, 2 ^ 62, 0.1, 1e-9, 1 / 3, math.huge, -math.huge } do
			local page = assert(parser.parse("a " .. exposition.number(value)))
			assert.is_true(math.abs(page.samples[1].value - value) <= math.abs(value) * 1e-14
				or page.samples[1].value == value)
		end
		assert.equal("NaN", exposition.number(0 / 0))
	end)

	it("is read back as it was", function()
		local page = assert(parser.parse(exposition.render {
			{ name = "h", type = "histogram", help = 'A "quote", a \\ and\na line.',
				{ 3, { le = "+Inf", ["odd"] = '"\\\n' }, "_bucket" } },
		}))
		assert.same({ name = "h_bucket", labels = { le = "+Inf", odd = '"\\\n' }, value = 3 },
			page.samples[1])
		assert.same({ type = "histogram", help = 'A "quote", a \\ and\na line.' }, page.families.h)
	end)
end)
