local host_port = require "gridcentric.util.host_port"
local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"

describe("options", function()
	local address = types.new("address", "string", host_port.read)
	local schema = options.schema {
		{ "listen", address, default = 8080, synonyms = { "port" } },
		{ "clones", options.record(options.schema {
			{ "min", types.integer(0), default = 0 },
			{ "max", types.integer(0, 100), default = 16 },
		}), default = {} },
		{ "timeout", types.number(0) },
		{ "mode", types.one_of("http", "tcp", false), default = "http" },
		{ "app", types.text() },
		{ "args", options.list(types.text()) },
		{ "scale", types.func() },
	}

	local function wrong(given)
		local values, err = options.check(schema, given)
		assert.is_nil(values)
		return err
	end

	it("fills in defaults, also of records, and leaves what was given as it is", function()
		local given = { clones = { min = 2 } }
		local values = assert(options.check(schema, given))
		assert.same({ min = 2, max = 16 }, values.clones)
		assert.same({ host = "127.0.0.1", port = 8080 }, values.listen)
		assert.equal("http", values.mode)
		assert.is_nil(values.timeout)
		assert.same({ clones = { min = 2 } }, given)
	end)

	it("takes false where it is a value", function()
		assert.is_false(assert(options.check(schema, { mode = false })).mode)
	end)

	it("takes what a table inherits", function()
		local base = { mode = "tcp", unknown = 1 }
		assert.equal("tcp", assert(options.check(schema, setmetatable({}, { __index = base }))).mode)
	end)

	it("suggests a known key that is spelled nearly like an unknown one, or a synonym", function()
		assert.equal('unknown key "listn" (did you mean "listen"?)', wrong { listn = 1 })
		assert.equal('unknown key "modus" (did you mean "mode"?)', wrong { modus = 1 })
		assert.equal('unknown key "port" (did you mean "listen"?)', wrong { port = 1 })
		assert.equal('clones: unknown key "mni" (did you mean "min"?)', wrong { clones = { mni = 1 } })
		assert.equal('unknown key "colour"', wrong { colour = 1 })
		assert.equal("unknown key [1]", wrong { "http" })
	end)

	it("says what it expected, and what it got", function()
		assert.equal("a table expected, got text", (wrong "x"):gsub('"x"', "text"))
		assert.equal('clones: max: a whole number from 0 to 100 expected, got "many"',
			wrong { clones = { max = "many" } })
		assert.equal("scale: a function expected, got 2", wrong { scale = 2 })
		assert.equal("args: item 2: text expected, got 3", wrong { args = { "a", 3 } })
		assert.equal('args: a list expected, got the key "a"', wrong { args = { a = "b" } })
		assert.equal('args: a list expected, got the key "1"', wrong { args = { ["1"] = "x" } })
		assert.equal("args: a list expected, got the key 1.5", wrong { args = { [1.5] = "x" } })
		assert.equal("args: a list expected, got the key 3", wrong { args = { "a", [3] = "x" } })
	end)

	it("reports always the same of several mistakes", function()
		for _ = 1, 20 do
			assert.matches("^timeout:", wrong { timeout = "x", scale = 1, app = 1, mode = 7 })
			assert.equal('unknown key "aa"', wrong { aa = 1, bb = 1, [{}] = 1, [true] = 1, [7] = 1 })
		end
	end)

	it("misses what is required", function()
		local _, err = options.check(options.schema { { "app", types.text(), required = true } }, {})
		assert.equal("app: missing", err)
	end)

	it("says when a table cannot be read", function()
		local function fail() error("no, thanks", 0) end
		local function endless() return function(_, key) return (key or 0) + 1, 1 end end
		assert.equal("the table cannot be read: no, thanks", wrong(setmetatable({}, { __pairs = fail })))
		assert.equal("the table cannot be read: no, thanks", wrong(setmetatable({}, { __index = fail })))
		assert.equal("the table cannot be read: more than 10000 keys",
			wrong(setmetatable({}, { __pairs = endless })))
		assert.equal("the table cannot be read: (error object is a table value)",
			wrong(setmetatable({}, { __pairs = function()
				error(setmetatable({}, { __tostring = fail }))
			end })))
	end)

	it("raises for a function's options at the place of the call", function()
		local function call(given)
			local values = options.demand(schema, given, "call")
			return values
		end
		local function caller()
			local values = call { listn = 1 }
			return values
		end
		local line = debug.getinfo(caller, "S").linedefined + 1
		local ok, err = pcall(caller)
		assert.is_false(ok)
		assert.matches(("options_spec.lua:%d: call: unknown key"):format(line), err)
	end)
end)
