-- What lua/gridcentric/meta/policy.lua and the annotations tell editors of policy files is what
-- exists, no more and no less.

local keys = require "gridcentric.config.keys"
local metric_keys = require "gridcentric.config.metric_keys"
local paths = require "spec.support.paths"
local route = require "gridcentric.route"
local schema = require "spec.support.schema"

local META = paths.root .. "/lua/gridcentric/meta/policy.lua"

local function read(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("a")
	file:close()
	return text
end

local function names_of(t)
	local names = {}
	for name in pairs(t) do names[#names + 1] = name end
	table.sort(names)
	return names
end

-- Those of a class that are no items of a list.
local function read_fields(text)
	local fields = {}
	for name, mark, rest in text:gmatch "%-%-%-@field ([%a_]+)(%??) ([^\n]*)" do
		fields[name] = { is_optional = mark == "?" or rest:find "^[^ ]+%?" ~= nil, text = rest }
	end
	return fields
end

local function read_sources()
	local texts = {}
	local pipe = assert(io.popen(("find '%s/lua' -name '*.lua'"):format(paths.root)))
	for path in pipe:lines() do texts[#texts + 1] = read(path) end
	pipe:close()
	return table.concat(texts, "\n")
end

-- The fields of each class in the sources, by its name.
local function read_classes(sources)
	local classes = {}
	for name, text in sources:gmatch "%-%-%-@class (gridcentric%.%a+)[^\n]*\n(.-)\n\n" do
		classes[name] = read_fields(text)
	end
	return classes
end

-- What each alias stands for, by its name.
local function read_aliases(sources)
	local aliases = {}
	for name, text in sources:gmatch "%-%-%-@alias (gridcentric%.%a+)([^\n]*)" do
		aliases[name] = text
	end
	return aliases
end

-- What the functions take, by name: "gridcentric.RatioOptions".
local function read_parameters()
	local parameters = {}
	for type, name in read(META):gmatch "@param %a+ (%S+)\n[^\n]+\nfunction ([%a_]+)%(" do
		parameters[name] = type
	end
	return parameters
end

describe("what editors know of policy files:", function()
	local sources, classes, aliases, parameters

	setup(function()
		sources, parameters = read_sources(), read_parameters()
		classes, aliases = read_classes(sources), read_aliases(sources)
	end)

	local function assert_default(default, text, where)
		local kind = type(default)
		if kind == "nil" or kind == "table" or kind == "function" then return end
		local bare, quoted = ("(%s)"):format(default), ('("%s")'):format(default)
		assert(text:find(bare, 1, true) or text:find(quoted, 1, true),
			("%s has no default %s: %s"):format(where, bare, text))
	end

	-- Each value of a key that can be one of some.
	local function assert_values(entry, text, where)
		text = text:gsub("^gridcentric%.%a+", aliases)
		for value in pairs(schema.upvalue(entry[1], "values") or {}) do
			local shown = type(value) == "string" and ('"%s"'):format(value) or tostring(value)
			assert(text:find(shown, 1, true), ("%s lacks %s: %s"):format(where, shown, text))
		end
	end

	-- The class is the schema: keys, which of them are needed, defaults, values.
	local function assert_described(class, options)
		local fields = assert(classes[class], "no class " .. tostring(class))
		assert.same(names_of(options), names_of(fields), class)
		for name, entry in pairs(options) do
			local field, where = fields[name], class .. "." .. name
			assert.equal(not entry.required, field.is_optional, where)
			assert_default(entry.default, field.text, where)
			assert_values(entry, field.text, where)
			local inner = schema.inner(entry)
			if inner then assert_described(field.text:match "^gridcentric%.%a+", inner) end
		end
	end

	it("the globals are those that a policy file finds", function()
		local given = {}
		assert(loadfile(META, "t", given))()
		assert.same(names_of(schema.globals()), names_of(given))
	end)

	it("the keys are those of a policy file, with their defaults", function()
		assert_described("gridcentric.PolicyFile", keys.FILE)
	end)

	it("the keys of metrics are those of a policy file", function()
		local check = schema.upvalue(metric_keys.metrics, "check_metric")
		assert_described("gridcentric.MetricKeys", schema.upvalue(check, "METRIC"))
	end)

	it("the options are those of the policies and routes", function()
		local n = 0
		for name, fn in pairs(schema.globals()) do
			local options, class = schema.options_of(fn), assert(parameters[name], name)
			if options then
				assert_described(class, options)
				n = n + 1
			else
				assert(class == "gridcentric.Part[]" or class == "string", class)
			end
		end
		assert(n >= 9)
		local window = schema.upvalue(schema.globals().schedule, "WINDOW")
		assert_described("gridcentric.ScheduleWindow", window)
	end)

	it("the names are those of the routes", function()
		local names = {}
		for name in read(META):match("@alias gridcentric.RouteName ([^\n]+)"):gmatch '"([%l_]+)"' do
			names[#names + 1] = name
		end
		assert.same(route.NAMES, names)
	end)

	it("the types are known", function()
		local function is_known(name) return classes[name] or aliases[name] end
		for line in sources:gmatch "%-%-%-[@|][^\n]+" do
			for name in line:gmatch "%f[%w](gridcentric%.%u%a+)" do
				assert(is_known(name), ("%s is not known: %s"):format(name, line))
			end
		end
	end)
end)
