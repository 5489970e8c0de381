local dkjson = require "dkjson"
local json = require "gridcentric.util.json"

describe("json", function()
	it("sorts keys, so that one value has one text", function()
		local value = {}
		for _, key in ipairs { "b", "a", "my.x", "B", "_" } do value[key] = { z = 1, y = 2 } end
		assert.equal('{"B":{"y":2,"z":1},"_":{"y":2,"z":1},"a":{"y":2,"z":1},"b":{"y":2,"z":1},'
			.. '"my.x":{"y":2,"z":1}}', json.encode(value))
	end)

	it("writes lists, objects and scalars as others read them", function()
		local value = { list = { 1, 2.5, "x", false }, text = 'a"\\\n\t\0€', n = -1e300, int = 1 << 53 }
		assert.same(value, (dkjson.decode(json.encode(value))))
		assert.equal('["x",null]', json.encode { "x", json.null })
		assert.equal("[]", json.encode {})
		assert.equal("[]", json.encode(json.array {}))
		assert.equal("{}", json.encode(setmetatable({}, { __jsontype = "object" })))
		assert.equal('{"8001":"x"}', json.encode { [8001] = "x" })
		assert.equal('{"n":3}', json.encode { n = 3 }) -- which dkjson takes for a list of three
		assert.equal("null", json.encode(nil))
	end)

	it("leaves out numbers that JSON does not have", function()
		assert.equal('{"a":1}', json.encode { a = 1, b = 0 / 0, c = math.huge, d = -math.huge })
		assert.equal("[null,1]", json.encode { 0 / 0, 1 })
	end)

	it("has a text for what JSON does not have", function()
		local cycle = {}
		cycle.me = cycle
		assert.equal('{"c":{"me":"..."},"f":"(function)","t":{"(table)":1,"true":2}}',
			json.encode { f = print, c = cycle, t = { [{}] = 1, [true] = 2 } })
		assert.equal('"\\ufffdx"', json.encode "\255x")
	end)

	it("is bounded", function()
		assert.is_true(#json.encode(("x"):rep(3000000)) < 5000)
		assert.is_true(#json.encode { [("x"):rep(3000000)] = 1 } < 5000)
		local function share(n)
			local t = { 1 }
			for _ = 1, n do t = { t, t } end
			return t
		end
		assert.is_true(#json.encode(share(40)) < 1000000)
		local deep = {}
		for _ = 1, 100000 do deep = { deep } end
		assert.is_true(#json.encode(deep) < 100)
		assert.equal(100002, #json.encode(("x"):rep(100000), math.huge))
	end)

	it("calls no metamethods", function()
		local function fail() error "called" end
		local value = setmetatable({ a = 1 }, { __pairs = fail, __index = fail, __len = fail,
			__eq = fail, __tostring = fail, __name = "x" })
		assert.equal('{"a":1}', json.encode(value))
	end)
end)
