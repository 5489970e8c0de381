local plural = require "gridcentric.util.plural"

describe("plural", function()
	it("counts in English", function()
		assert.same({ "0 clones", "1 clone", "2 clones" },
			{ plural.count(0, "clone"), plural.count(1, "clone"), plural.count(2, "clone") })
		assert.same({ "0 times", "once", "2 times" },
			{ plural.times(0), plural.times(1), plural.times(2) })
	end)
end)
