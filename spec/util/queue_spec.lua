local queue = require "gridcentric.util.queue"

describe("queue", function()
	local q

	before_each(function()
		q = queue.new()
		for _, item in ipairs { "a", "b", "c" } do q:push(item) end
	end)

	it("gives back in order", function()
		assert.equal(3, q.length)
		assert.same({ "a", "b", "c" }, { q:pop(), q:pop(), q:pop() })
		assert.is_nil(q:pop())
		assert.equal(0, q.length)
	end)

	it("lets anything leave, and come back at the end", function()
		for _, item in ipairs { "b", "a", "c" } do
			q:remove(item)
			assert.is_false(q:has(item))
			q:push(item)
		end
		assert.same({ "b", "a", "c" }, q:list())
		q:remove "c"
		q:remove "c"
		q:remove "never there"
		assert.same({ "b", "a" }, q:list())
		assert.equal(2, q.length)
		assert.equal("a", q.last)
	end)

	it("is empty when all have left", function()
		for _, item in ipairs(q:list()) do q:remove(item) end
		assert.is_nil(q.first)
		assert.is_nil(q.last)
		assert.same({}, q:list())
	end)
end)
