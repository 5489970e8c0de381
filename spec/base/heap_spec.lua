-- The heap under the loop's timers.

local spec_base = require "gridcentric.spec_base"

-- Removes all nodes, first by first; gives their ids.
local function drain(heap)
	local ids = {}
	for id in heap.first, heap do
		ids[#ids + 1] = id
		heap:remove(id)
	end
	return ids
end

describe("a heap", function()
	it("gives the node with the least key, and none when it is empty", function()
		local heap = spec_base.heap()
		assert.is_nil(heap:first())
		for id, key in ipairs{ 30, 10, 20 } do heap:insert(id, key) end
		assert.same({ 2, 3, 1 }, drain(heap))
		assert.is_nil(heap:first())
	end)

	it("takes a node again after it was removed", function()
		local heap = spec_base.heap()
		heap:insert(1, 1)
		heap:insert(2, 2)
		heap:remove(1)
		heap:insert(1, 3)
		assert.same({ 2, 1 }, drain(heap))
	end)

	it("removes any node: the root, a leaf, one with children", function()
		for removed = 1, 7 do
			local heap, expected = spec_base.heap(), {}
			for id = 7, 1, -1 do heap:insert(id, id) end
			heap:remove(4) -- gives the tree some depth
			heap:insert(4, 4)
			heap:remove(removed)
			for id = 1, 7 do expected[#expected + 1] = id ~= removed and id or nil end
			assert.same(expected, drain(heap))
		end
	end)

	it("agrees with a sorted list after any insertions and removals", function()
		math.randomseed(8)
		for _ = 1, 20 do
			local heap, keys = spec_base.heap(), {}
			for _ = 1, 2000 do
				local id = math.random(300)
				if keys[id] then
					heap:remove(id)
					keys[id] = nil
				else
					keys[id] = math.random(100)
					heap:insert(id, keys[id])
				end
			end
			local expected = {}
			for id in pairs(keys) do expected[#expected + 1] = id end
			table.sort(expected, function(a, b)
				if keys[a] ~= keys[b] then return keys[a] < keys[b] end
				return a < b
			end)
			assert.same(expected, drain(heap))
		end
	end)
end)
