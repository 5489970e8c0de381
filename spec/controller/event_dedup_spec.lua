local news = require "gridcentric.controller.event_dedup"

describe("news", function()
	it("are what did not happen for a minute", function()
		local n = news.new()
		assert.is_true(n:is_new(0, "a is missing"))
		for now = 1, 100 do assert.is_false(n:is_new(now, "a is missing")) end
		assert.is_true(n:is_new(160, "a is missing"))
	end)

	it("are forgotten when they are old", function()
		local n = news.new()
		for now = 0, 10000 do n:is_new(now, ("x"):rep(now % 1000) .. " is missing") end
		local kept = 0
		for _ in pairs(n.last) do kept = kept + 1 end
		assert.is_true(kept <= 61)
	end)

	it("are told apart by their words", function()
		local n = news.new()
		assert.is_true(n:is_new(0, "a is missing"))
		assert.is_true(n:is_new(0, "b is missing"))
		assert.is_true(n:is_new(0, "b is 1 short"))
		assert.is_false(n:is_new(0, "b is 27 short"))
	end)
end)
