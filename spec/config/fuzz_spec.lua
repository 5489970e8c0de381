-- Policy files are programs, so the table that one returns may hold anything. Whatever that is, the
-- answer is a policy or one readable line, never an error of Lua's.

local options = require "gridcentric.util.options"
local policies = require "gridcentric.policy.schema"
local policy = require "gridcentric.config.load"
local random = require "gridcentric.util.random"
local routes = require "gridcentric.route.schema"
local schema = require "gridcentric.config.schema"
local globals = require "gridcentric.config.globals"

local ROUNDS = 3000

local function fail() error("no, thanks", 0) end
local function fail_oddly() error(setmetatable({}, { __tostring = fail })) end

local METATABLES = {
	{ __index = fail }, { __pairs = fail }, { __len = fail }, { __eq = fail, __lt = fail },
	{ __tostring = fail, __name = 7 }, { __call = fail }, { __pairs = function() return fail end },
	{ __pairs = fail_oddly }, { __index = function() return 7 end }, { __metatable = "hidden" },
	{ __pairs = function() return function(_, key) return (key or 0) + 1, 1 end end },
	{ __concat = fail, __unm = fail, __div = fail },
}

local ODD = {
	0 / 0, math.huge, -math.huge, -0.0, 0, -1, 1, 2, 0.5, 1.5, 1e308, math.maxinteger,
	math.mininteger, 2 ^ 53, 64, 8080, "", " ", "x", "10s", "2G", "2 GB", "60%", "-1s", "1e999 s",
	"9999999999999999999999d", "127.0.0.1:1", "http", "hold", "a\0b", "\27[31m", "\xFF\xFE",
	("x"):rep(100000), "sessions", "cpu", "my.x", "Mon-Fri 08:00-18:00", true, false, print,
	fail, fail_oddly,
	coroutine.create(print), io.stdout, math.pi,
}

local function names_of(keys)
	local names = {}
	for i, key in ipairs(keys) do names[i] = key[1] end
	return names
end

-- Makes values by chance; the same in each run.
local function new_maker(seed)
	local next_bits = random.new(seed)
	local maker = {}
	function maker.below(n) return (next_bits() >> 33) % n end
	function maker.one_of(list) return list[maker.below(#list) + 1] end

	local function table_of(depth, names)
		local made = {}
		for _ = 1, maker.below(6) do
			local is_known = names and #names > 0 and maker.below(4) > 0
			local key = is_known and maker.one_of(names) or maker.value(depth - 1)
			if key ~= nil and key == key then made[key] = maker.value(depth - 1) end
		end
		for i = 1, maker.below(4) do made[i] = maker.value(depth - 1) end
		if maker.below(8) == 0 then made[maker.one_of { "me", 1 }] = made end
		if maker.below(4) == 0 then setmetatable(made, maker.one_of(METATABLES)) end
		return made
	end

	function maker.value(depth)
		if depth > 0 and maker.below(3) == 0 then return table_of(depth) end
		return maker.one_of(ODD)
	end

	-- A table with keys of a schema, some of which have values that are right.
	function maker.of_schema(keys, depth)
		local made = table_of(1, names_of(keys))
		for _, key in ipairs(keys) do
			local inner, choice = key[2].schema, maker.below(8)
			if choice == 0 then
				made[key[1]] = maker.value(2)
			elseif inner and choice < 5 and depth > 0 then
				made[key[1]] = maker.of_schema(inner, depth - 1)
			elseif choice < 3 and key.default ~= nil then
				made[key[1]] = key.default
			end
		end
		if maker.below(2) == 0 then return made end
		local known = {}
		for name, value in next, made do
			if keys.by_name[name] then known[name] = value end
		end
		return known
	end
	return maker
end

local function assert_readable(err)
	assert.equal("string", type(err))
	assert(utf8.len(err), "not UTF-8")
	assert(#err < 400, err:sub(1, 400))
	assert(not err:find "%c", err)
	assert(not err:find "stack traceback" and not err:find "%.lua:%d+: attempt to", err)
end

describe("whatever a policy file returns, there is a policy or a readable line:", function()
	it("a table by chance", function()
		local maker, n_right = new_maker(1), 0
		for _ = 1, ROUNDS do
			local given = maker.of_schema(schema.FILE, 3)
			local p, err = policy.check(given)
			if p then n_right = n_right + 1 else assert_readable(err) end
		end
		assert(n_right < ROUNDS)
	end)

	it("right keys, one of them by chance", function()
		local maker, n_right, n_wrong = new_maker(2), 0, 0
		for _ = 1, ROUNDS do
			local key = maker.one_of(schema.FILE)
			local given = { app = { script = "-" } }
			given[key[1]] = key[2].schema and maker.of_schema(key[2].schema, 2) or maker.value(2)
			local p, err = policy.check(given)
			if p then n_right = n_right + 1 else n_wrong = n_wrong + 1 end
			if not p then assert_readable(err) end
		end
		assert(n_right > 100 and n_wrong > 100)
	end)

	it("any value at all", function()
		local maker = new_maker(3)
		for _ = 1, ROUNDS do
			local p, err = policy.check(maker.value(3))
			if not p then assert_readable(err) end
		end
	end)

	it("ready policies and routes that are called with anything", function()
		local maker = new_maker(4)
		for _, signatures in ipairs { policies, routes } do
			for name, signature in pairs(signatures) do
				for _ = 1, 300 do
					local given = maker.below(4) > 0 and maker.of_schema(signature.keys, 2) or maker.value(3)
					local ok, result = pcall(function() return (globals[name](given)) end)
					if ok then
						assert(type(result) == "function" or type(result.pick) == "function")
					else
						assert.matches(("fuzz_spec.lua:%%d+: %s: "):format(name), result:match "^[^\n]*")
						assert_readable(result:gsub("\n.*", ""))
					end
				end
			end
		end
	end)

	it("lists of anything", function()
		local maker = new_maker(5)
		local texts = schema.FILE.by_name.app[2].schema.by_name.args[2]
		for _ = 1, ROUNDS do
			local list, err = texts(maker.value(3))
			if list then
				for _, text in ipairs(list) do assert.equal("string", type(text)) end
			else
				assert_readable(err)
			end
		end
		assert.is_table(options.schema {})
	end)
end)
