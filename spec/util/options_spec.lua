local host_port = require "gridcentric.util.host_port"
local options = require "gridcentric.util.options"

describe("options", function()
	local schema = {
		listen = { host_port.read, default = 8080 },
		clones = { options.record {
			min = { options.integer(0), default = 0 },
			max = { options.integer(0, 100), default = 16 },
		}, default = {} },
		timeout = { options.number(0) },
		mode = { options.one_of("http", "tcp", false), default = "http" },
		app = { options.text() },
		args = { options.list(options.text()) },
		scale = { options.func() },
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

	it("names the nearest known key for an unknown one", function()
		assert.equal('unknown key "listn" (did you mean "listen"?)', wrong { listn = 1 })
		assert.equal('unknown key "modus" (did you mean "mode"?)', wrong { modus = 1 })
		assert.equal('clones: unknown key "mni" (did you mean "min"?)', wrong { clones = { mni = 1 } })
		assert.equal("unknown key [1]", wrong { "http" })
	end)

	it("tells what it expected, and what it got", function()
		assert.equal("a table expected, got text", (wrong "x"):gsub('"x"', "text"))
		assert.equal('clones: max: a whole number from 0 to 100 expected, got "many"',
			wrong { clones = { max = "many" } })
		assert.equal("clones: max: a whole number from 0 to 100 expected, got 101",
			wrong { clones = { max = 101 } })
		assert.equal("clones: min: a whole number from 0 expected, got 1.5",
			wrong { clones = { min = 1.5 } })
		assert.equal("timeout: a number from 0 expected, got -1", wrong { timeout = -1 })
		assert.matches("^timeout: a number from 0 expected, got %-?nan$", wrong { timeout = 0 / 0 })
		assert.equal("timeout: a number from 0 expected, got inf", wrong { timeout = math.huge })
		assert.equal('mode: "http", "tcp" or false expected, got "htp"', wrong { mode = "htp" })
		assert.equal("app: text expected, got a table", wrong { app = {} })
		assert.equal("scale: a function expected, got 2", wrong { scale = 2 })
		assert.equal("args: item 2: text expected, got 3", wrong { args = { "a", 3 } })
		assert.equal('args: a list expected, got the key "a"', wrong { args = { a = "b" } })
	end)

	it("tells always the same of several mistakes", function()
		for _ = 1, 20 do
			assert.matches("^app:", wrong { timeout = "x", scale = 1, app = 1, mode = 7 })
		end
	end)

	it("misses what is required", function()
		local _, err = options.check({ app = { options.text(), required = true } }, {})
		assert.equal("app: missing", err)
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

	it("counts the steps from one text to another", function()
		assert.equal(0, options.distance("abc", "abc"))
		assert.equal(3, options.distance("", "abc"))
		assert.equal(3, options.distance("kitten", "sitting"))
		assert.equal(1, options.distance("listn", "listen"))
		assert.equal(1, options.distance("mni", "min"))
	end)
end)
