-- What editors know of policy files is what exists. That lua/gridcentric/meta/policy.lua is up to
-- date is for spec/project/generated_spec.lua to see.

local globals = require "gridcentric.config.globals"
local paths = require "spec.support.paths"

local META = paths.root .. "/lua/gridcentric/meta/policy.lua"

local function read(path)
	local file <close> = assert(io.open(path, "rb"))
	return file:read "a"
end

local function read_sources()
	local texts = {}
	local pipe = assert(io.popen(("find '%s/lua' -name '*.lua'"):format(paths.root)))
	for path in pipe:lines() do texts[#texts + 1] = read(path) end
	pipe:close()
	return table.concat(texts, "\n")
end

local function names_of(t)
	local names = {}
	for name in pairs(t) do names[#names + 1] = name end
	table.sort(names)
	return names
end

describe("what editors know of policy files:", function()
	it("the globals are those that a policy file finds", function()
		local given = {}
		assert(loadfile(META, "t", given))()
		assert.same(names_of(globals), names_of(given))
	end)

	it("a key has its type, its text and its default", function()
		local text = read(META)
		for _, line in ipairs {
			'---@field mode? "http"|"tcp" What is routed: HTTP requests by their session, or TCP '
				.. 'connections ("http")',
			"---@field timeout? number|string Time that a connection waits for a clone; then it is refused "
				.. "(10 seconds)",
			"---@field held? gridcentric.HeldKeys What becomes of connections that wait for a clone ({})",
			'---@field metric string A total or an average',
		} do
			assert(text:find("\n" .. line .. "\n", 1, true), line)
		end
	end)

	it("the types are known", function()
		local sources, known = read_sources(), {}
		for name in sources:gmatch "%-%-%-@class (gridcentric%.%a+)" do known[name] = true end
		for name in sources:gmatch "%-%-%-@alias (gridcentric%.%a+)" do known[name] = true end
		for line in sources:gmatch "%-%-%-[@|][^\n]+" do
			for name in line:gmatch "%f[%w](gridcentric%.%u%a+)" do
				assert(known[name], ("%s is not known: %s"):format(name, line))
			end
		end
	end)
end)
