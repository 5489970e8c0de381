-- Which domain comes from which.

local engine_lineage = require "gridcentric.engine_lineage"

-- 0 -> 1 -> 3 -> 4, 0 -> 2; 100 has no parent, as a second machine.
local function family()
	local lineage = engine_lineage.new()
	for vmid, parent in pairs{ [0] = -1, [1] = 0, [2] = 0, [3] = 1, [4] = 3, [100] = -1 } do
		lineage:add(vmid, parent)
	end
	return lineage
end

describe("a domain", function()
	it("is below itself, its parent, and all before that", function()
		for _, ancestor in ipairs{ 4, 3, 1, 0 } do
			assert.is_true(family():is_below(4, ancestor), ancestor)
		end
	end)

	it("is not below its children, its siblings and their children", function()
		for _, pair in ipairs{ { 0, 1 }, { 1, 3 }, { 2, 1 }, { 1, 2 }, { 4, 2 }, { 0, 100 },
			{ 100, 0 } } do
			assert.is_false(family():is_below(table.unpack(pair)), table.concat(pair, " "))
		end
	end)

	it("that is not known is below itself alone", function()
		for _, vmid in ipairs{ 50, 99, 1000, 1000000 } do
			assert.is_false(family():is_below(vmid, 0), vmid)
			assert.is_false(family():is_below(0, vmid), vmid)
			assert.is_true(family():is_below(vmid, vmid), vmid)
		end
		assert.is_false(engine_lineage.new():is_below(1, 0))
	end)

	it("may be the last of many, each the clone of the one before", function()
		local lineage = engine_lineage.new()
		for vmid = 0, 5000 do lineage:add(vmid, vmid - 1) end
		assert.is_true(lineage:is_below(5000, 0))
		assert.is_false(lineage:is_below(0, 5000))
	end)
end)
