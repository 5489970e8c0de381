local guard = require "gridcentric.util.guard"

describe("guard", function()
	it("hands an error with its traceback to whoever wants it, and goes on", function()
		local texts = {}
		local fn = guard.protect(function(what) error(what) end,
			function(text) texts[#texts + 1] = text end)
		fn "oops"
		fn {}
		assert.matches("^[^\n]*guard_spec.lua:6: oops\nstack traceback:\n", texts[1])
		assert.matches("^%(error object is a table value%)\n", texts[2])
	end)

	it("hands the arguments on", function()
		local got
		guard.protect(function(...) got = { ... } end, error)(1, "b", false)
		assert.same({ 1, "b", false }, got)
		assert.same({ true, 3 }, { guard.call(function(a, b) return a + b end, 1, 2) })
	end)

	it("says an error as lua would", function()
		assert.equal("oops", guard.text "oops")
		assert.equal("7", guard.text(7))
		assert.equal("(error object is a nil value)", guard.text(nil))
		local object = setmetatable({}, { __tostring = function() return "an object" end })
		assert.equal("an object", guard.text(object))
	end)
end)
