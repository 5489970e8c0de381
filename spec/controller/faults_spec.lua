local faults = require "gridcentric.controller.faults"

describe("faults", function()
	local all, told

	before_each(function()
		told = {}
		all = faults.new(function(what, err, is_new) told[#told + 1] = { what, err, is_new } end)
	end)

	it("gives what a function returns", function()
		assert.same({ true, 1, nil, 3 }, { all:call("route", function(a, b) return a, nil, b end, 1, 3) })
		assert.same({}, told)
		assert.is_nil(all:text())
	end)

	it("tells of errors, and which are new", function()
		local function fail() error("oops", 2) end
		local function first() fail() end
		local function second() fail() return 1 end
		for _, fn in ipairs { first, first, second } do assert.is_false(all:call("route", fn)) end
		assert.same({ true, false, true }, { told[1][3], told[2][3], told[3][3] })
		assert.matches("faults_spec.lua:%d+: oops$", told[1][2])
	end)

	it("knows what goes on failing", function()
		all:call("victim", error, {})
		all:blame("route", "x.lua:1: no")
		assert.equal("x.lua:1: no", all:text())
		all:call("route", function() end)
		assert.equal("(error object is a table value)", all:text())
		all:clear "victim"
		assert.is_nil(all:text())
	end)

	it("takes none for new after a hundred places: they are no places", function()
		for i = 1, 1000 do all:blame("scale", ("at %d:00: no"):format(i)) end
		assert.is_true(told[100][3])
		assert.is_false(told[101][3])
		assert.is_false(told[1000][3])
	end)

	it("forgets the faults of another file", function()
		all:blame("route", "x.lua:1: no")
		all:forget()
		assert.is_nil(all:text())
		all:blame("route", "x.lua:1: no")
		assert.is_true(told[2][3])
	end)
end)
