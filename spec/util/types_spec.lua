local types = require "gridcentric.util.types"

describe("a type", function()
	local function assert_type(type, right, wrong, expected)
		for given, value in pairs(right) do assert.equal(value, (type(given))) end
		for _, given in ipairs(wrong) do
			local value, err = type(given)
			assert.is_nil(value)
			assert.equal(("%s expected, got %s"):format(expected, types.show(given)), err)
		end
	end

	it("of quantities names its bounds where a value is beyond them", function()
		assert_type(types.seconds(), {}, { -1 }, 'a time in seconds or such as "10s" from 0')
		assert_type(types.bytes(512), {}, { 1, "2 B" },
			'a size in bytes or such as "512 MB" from 512 B')
		assert_type(types.share(), {}, { 60, "160%" }, 'a share such as 0.5 or "50%" from 0 to 1')
	end)

	it("of numbers is finite and within bounds", function()
		assert_type(types.number(0), { [1.5] = 1.5, [0] = 0 }, { -1, 0 / 0, math.huge, "1", {} },
			"a number from 0")
		assert_type(types.integer(0, 100), { [2.0] = 2, [100] = 100 }, { 101, 1.5, 0 / 0, "many" },
			"a whole number from 0 to 100")
	end)

	it("of times takes seconds, or text with a unit", function()
		assert_type(types.seconds(), { [10] = 10, ["10s"] = 10, ["250 ms"] = 0.25, ["2 min"] = 120,
			["1h"] = 3600, [0] = 0 }, { "10", "10 MB", 0 / 0, math.huge, true, "s" },
			'a time in seconds or such as "10s"')
		assert_type(types.seconds(1, 60), { ["1m"] = 60 }, { "61s", 0 },
			'a time in seconds or such as "10s" from 1 s to 1 min')
	end)

	it("of sizes takes bytes, or text with a unit", function()
		assert_type(types.bytes(), { [512] = 512, ["64 KB"] = 64000, ["2G"] = 2 ^ 31, ["1 MiB"] = 2 ^ 20,
			["1.5 B"] = 2 }, { "10s", 0 / 0, "2 GBs" },
			'a size in bytes or such as "512 MB"')
		assert.equal("integer", math.type(types.bytes() "2G"))
		assert_type(types.mebibytes(64, 1024 ^ 2), { [256] = 256, ["2G"] = 2048, ["2 GB"] = 1907,
			["64.5M"] = 64 }, { 63, "2", "10s", 0 / 0 },
			'a size such as "256M" or "2 GB", from 64M to 1024G,')
	end)

	it("of shares takes parts of 1, or percents", function()
		assert_type(types.share(), { [0.5] = 0.5, ["50%"] = 0.5, ["50 %"] = 0.5, [1] = 1 },
			{ "50", 0 / 0, true }, 'a share such as 0.5 or "50%"')
	end)

	it("of words takes those that are known", function()
		assert_type(types.one_of("http", "tcp", false), { http = "http", [false] = false },
			{ "htp", true }, '"http", "tcp" or false')
		assert_type(types.text("^/", "a path"), { ["/x"] = "/x" }, { "x", 3 }, "a path")
		assert_type(types.boolean, { [true] = true, [false] = false }, { 0, "yes" }, "true or false")
		assert_type(types.any_of('"hold" or a function', types.one_of "hold", types.func()),
			{ hold = "hold", [print] = print }, { 3 }, '"hold" or a function')
	end)

	it("says what it takes, for the manual and for editors", function()
		local port = types.integer(1, 65535)
		assert.equal("1 to 65535", port.manual)
		assert.equal("integer", port.annotation)
		local mode = types.one_of("http", "tcp")
		assert.equal('"http" or "tcp"', mode.manual)
		assert.equal('"http"|"tcp"', mode.annotation)
		assert.equal("file name", types.text("%S", "a file name").manual)
		assert.equal("seconds", types.seconds().unit)
	end)

	it("shows values on one line, shortened", function()
		assert.equal('"a b"', types.show "a\nb")
		assert.equal(('"%s..."'):format(("x"):rep(37)), types.show(("x"):rep(3000000)))
		assert.equal("a table", types.show(setmetatable({}, { __tostring = error })))
		assert.equal("nothing", types.show(nil))
	end)
end)
