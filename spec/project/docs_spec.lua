-- The documents say what is there: each public name has its place in a man page,
-- pages render without a warning, and what is shown as an example runs.
--
-- An example is a block behind a mark: `.\" example: KIND` in a man page,
-- `<!-- example: KIND -->` in README.md. The kinds are those of `runners` below.

local async = require "spec.support.async"
local gcscale_commands = require "gridcentric.cli.commands"
local globals = require "gridcentric.config.globals"
local history = require "gridcentric.policy.rules.history"
local json = require "dkjson"
local paths = require "spec.support.paths"
local policy = require "gridcentric.config.load"
local printer = require "gridcentric.policy.rules.print"
local registry = require "gridcentric.metrics.registry"
local route_schema = require "gridcentric.route.schema"
local rules = require "gridcentric.policy.rules"
local puppet = require "spec.support.puppet"
local samples = require "spec.support.policy"
local schema = require "gridcentric.config.schema"
local trace = require "gridcentric.trace"
local units = require "gridcentric.util.units"
local uv = require "luv"

local PAGES = { "gcscale.1", "gcscale-policy.5", "gridcentric.3", "gridcentric.7" }

local function read(path)
	local file = assert(io.open(paths.root .. "/" .. path, "rb"))
	local text = file:read("a")
	file:close()
	return text
end

local function write(path, text)
	local file = assert(io.open(path, "wb"))
	file:write(text)
	file:close()
end

local function output(command, ...)
	local pipe = assert(io.popen(("cd '%s' && %s"):format(paths.root, command:format(...))))
	local text = pipe:read("a")
	pipe:close()
	return text
end

assert(output("command -v mandoc") ~= "", "mandoc is missing: make deps-test")

-- A page as one reads it: without fonts, and with lines that do not end.
local function rendered(page)
	local text = output("mandoc -T ascii -O width=1000 man/%s", page)
	return (text:gsub("[^\n]\b", ""):gsub("[ \t]+", " "))
end

local page_text = setmetatable({}, { __index = function(cache, page)
	cache[page] = rendered(page)
	return cache[page]
end })

local function is_word_in(text, word)
	return text:find("%f[%-%w_]" .. word:gsub("%p", "%%%0") .. "%f[^%w_]") ~= nil
end

-- That all words stand in one of the pages; names all that do not.
local function assert_documented(words, ...)
	assert(#words > 0, "nothing found to look for")
	local missing = {}
	for _, word in ipairs(words) do
		local found = false
		for _, page in ipairs { ... } do found = found or is_word_in(page_text[page], word) end
		if not found then missing[#missing + 1] = word end
	end
	assert(#missing == 0, ("not in %s: %s"):format(table.concat({ ... }, ", "),
		table.concat(missing, ", ")))
end

-- All that a pattern catches in the files of some folders.
local function grep(pattern, find_arguments)
	local found, seen = {}, {}
	for file in output("find %s", find_arguments):gmatch("[^\n]+") do
		for word in read(file):gmatch(pattern) do
			if not seen[word] then found[#found + 1] = word end
			seen[word] = true
		end
	end
	return found
end

local function names_of(t, prefix)
	local names = {}
	for name in pairs(t) do names[#names + 1] = (prefix or "") .. name end
	table.sort(names)
	return names
end

-- What stands under a heading of a page, up to the next one of its kind; as it is in the file.
local function section(page, kind, heading)
	local source = read("man/" .. page) .. "\n.Sh "
	local start = source:find(("\n.%s %s"):format(kind, heading), 1, true)
	assert(start, ("%s has no %s"):format(page, heading))
	local rest = source:sub(start + 1)
	return rest:sub(1, math.min(rest:find("\n.Sh ", 1, true), rest:find("\n.Ss ", 1, true) or #rest))
end

-- All commands of gcscale by their full names.
local function every_command()
	local found = {}
	gcscale_commands.each(function(command, name) found[name] = command end)
	return found
end

describe("the manual #lint", function()
	for _, page in ipairs(PAGES) do
		it(page .. " renders without a warning", function()
			local found = {}
			for line in output("mandoc -T lint man/%s 2>/dev/null", page):gmatch("[^\n]+") do
				-- looks for installed pages only: see the next spec
				if not line:find("referenced manual not found", 1, true) then found[#found + 1] = line end
			end
			assert.same({}, found)
		end)
	end

	it("refers to pages that exist", function()
		local system = { ["bash.1"] = true, ["nohup.1"] = true, ["fork.2"] = true, ["flock.2"] = true }
		for _, page in ipairs(PAGES) do
			for name, number in read("man/" .. page):gmatch("%.Xr (%S+) (%d)") do
				local file = name .. "." .. number
				assert(system[file] or uv.fs_stat(paths.root .. "/man/" .. file), page .. ": " .. file)
			end
		end
	end)

	it("has all of the guest API in Lua", function()
		local gc = require "gridcentric"
		assert_documented(names_of(gc, "gc."), "gridcentric.3")
	end)

	it("has all of autoscale, its options and defaults", function()
		local autoscale = require "gridcentric.autoscale"
		assert_documented(names_of(autoscale, "autoscale."), "gridcentric.3")
		assert_documented(names_of(schema.SETUP.by_name), "gridcentric.3")
	end)

	it("has all of gc-guest.h", function()
		local header = "csrc/gridcentric/gc-guest.h"
		assert_documented(grep("GC_API [^;]-(gc_[%w_]+)%(", header), "gridcentric.3")
		assert_documented(grep("%f[%w_](GC_[TD]%u+_%u+)", header), "gridcentric.3")
		assert_documented(grep("}%s*(gc_[%w_]+_t);", header), "gridcentric.3")
		assert_documented(grep("\n\t[%w_ ]- ([%w]+)%[?%d*%]?;", header), "gridcentric.3")
	end)

	it("has all names of errors and statuses", function()
		assert_documented(grep("X%(%d+, (GC_E%u+),", "csrc/base/err.h"), "gridcentric.3")
		assert_documented(grep('return "(%l+)"', "csrc/wire/names.c"),
			"gridcentric.3")
	end)

	it("has all commands of gcscale with their arguments", function()
		local page = read "man/gcscale.1"
		for full_name, command in pairs(every_command()) do
			local item = { ".It Cm " .. full_name }
			for _, argument in ipairs(command.arguments or {}) do
				local value = argument.choices and table.concat(argument.choices, " | ")
					or (argument.count and "Op Ar " or "Ar ") .. argument.value:lower()
				item[#item + 1] = value .. (argument.count == "*" and " ..." or "")
			end
			local line = table.concat(item, " "):gsub("(Ar %S+) Ar ", "%1 ")
			assert(page:find(("\n%s\n"):format(line), 1, true), line)
		end
	end)

	it("has all options of gcscale", function()
		local options = {}
		for full_name in pairs(every_command()) do
			local help = output("'%s' %s --help", paths.gcscale, full_name)
			for option in help:match("Options:\n(.*)"):gmatch("%f[%S](%-[%-%l]+)") do
				options[#options + 1] = option
			end
		end
		assert_documented(options, "gcscale.1")
	end)

	it("has all exit statuses and events of gcscale", function()
		for name, status in pairs(require "gridcentric.cli.exit") do
			if math.type(status) == "integer" then
				assert(read("man/gcscale.1"):find(("\n.It %d\n"):format(status), 1, true), name)
			end
		end
		local events = grep('%f[%w]event%("(%l+)"', "lua -name '*.lua'")
		for _, event in ipairs(events) do
			assert(read("man/gcscale.1"):find(("\n.It Cm %s\n"):format(event), 1, true), event)
		end
	end)

	it("has all that status tells as JSON", function()
		local sources = "lua/gridcentric/controller/report.lua lua/gridcentric/cli/engines.lua"
		assert_documented(grep("%-%-%-@field ([%l_]+)", sources), "gcscale.1")
	end)

	it("has all keys of a policy file with their defaults", function()
		local text = page_text["gcscale-policy.5"]
		local function look(keys, prefix)
			for _, key in ipairs(keys) do
				local name, inner = prefix .. key[1], key[2].schema
				if inner then
					look(inner, name .. ".")
				else
					local item = text:match(("\n (%s = [^\n]*%%([^\n]*%%))\n"):format(name:gsub("%p", "%%%0")))
					assert(item, "no item for " .. name)
					local default = key.unset or key.default
					local is_shown = type(default) == "table" or item:find(("(%s)"):format(default), 1, true)
					assert(is_shown, ("%s, but: %s"):format(default, item))
				end
			end
		end
		look(schema.FILE, "")
	end)

	it("says of all keys and globals of a policy file where they are explained", function()
		local page = "gcscale-policy.5"
		local source = read("man/" .. page)
		for heading, wanted in pairs {
			["The keys, and where they are explained"] = schema.FILE.by_name,
			["What a policy file finds as globals"] = globals,
		} do
			local listed = {}
			for line in section(page, "Ss", heading):gmatch "[^\n]+" do
				local place, names = line:match "^%.It Sx (.+)", line:match "^%.Ic (.+)"
				local is_place = not place or source:find("\n.Sh " .. place .. "\n", 1, true)
					or source:find("\n.Ss " .. place .. "\n", 1, true)
				assert(is_place, place)
				for name in (names or ""):gmatch "[%l_]+" do listed[name] = true end
			end
			assert.same(names_of(wanted), names_of(listed))
		end
	end)

	it("refers to sections that it has", function()
		for _, page in ipairs(PAGES) do
			local source = read("man/" .. page)
			for places in source:gmatch "%f[^\n]%.Sx ([^\n]+)" do
				for place in places:gsub(" [.,;:)]", " ,"):gmatch "[^,]+" do
					place = place:match "^%s*(.-)%s*$"
					local is_place = place == "" or source:find("\n.Sh " .. place .. "\n", 1, true)
						or source:find("\n.Ss " .. place .. "\n", 1, true)
					assert(is_place, ("%s: %s"):format(page, place))
				end
			end
		end
	end)

	-- The cells of each row of a table, as they are rendered.
	local function rows_of(source)
		local rows = {}
		for table_source in source:gmatch "\n%.Bl %-column[^\n]*\n(.-)\n%.El\n" do
			for row in ("\n" .. table_source):gmatch "\n%.It ([^\n]+)" do
				local cells = {}
				for cell in (row .. " Ta "):gmatch "(.-) Ta " do
					cells[#cells + 1] = cell:gsub("^%u%l ", ""):gsub('"', "")
				end
				rows[#rows + 1] = cells
			end
		end
		return rows
	end

	local function is_on_one_line(lines, cells)
		for _, line in ipairs(lines) do
			local at = 1
			for _, cell in ipairs(cells) do
				at = at and select(2, line:find(cell, at, true))
			end
			if at then return true end
		end
	end

	it("is readable in a terminal of 80 columns", function()
		local source = read "man/gcscale-policy.5"
		assert(#rows_of(source) > 20)
		for _, command in ipairs {
			"LC_ALL=C.UTF-8 MANWIDTH=80 man -l man/gcscale-policy.5",
			"mandoc -T utf8 -O width=78 man/gcscale-policy.5",
		} do
			local text = output("%s 2>&1", command):gsub(utf8.charpattern .. "\b", "")
			text = text:gsub("\xE2\x80\x90", "-")
			local lines = {}
			for line in text:gmatch "[^\n]+" do
				lines[#lines + 1] = line
				assert((utf8.len(line) or #line) <= 80, ("%s: %s"):format(command, line))
			end
			assert(#lines > 500, text)
			for _, cells in ipairs(rows_of(source)) do
				assert(is_on_one_line(lines, cells),
					("%s breaks a row: %s"):format(command, table.concat(cells, " | ")))
			end
		end
	end)

	it("has all routes", function()
		local text = section("gcscale-policy.5", "Sh", "ROUTES")
		for _, name in ipairs(require("gridcentric.route").NAMES) do
			assert(text:find(("\n.It Li \\(dq%s\\(dq\n"):format(name), 1, true), name)
		end
		for name in pairs(require("gridcentric.route").READY) do
			assert(text:find(("\n.It Li %s { "):format(name), 1, true), name)
			for _, option in ipairs(route_schema[name].keys) do
				assert(is_word_in(text, option[1]), option[1])
			end
		end
	end)

	it("has all metrics that a policy can name, and what a policy is given", function()
		local text = page_text["gcscale-policy.5"]
		for _, entry in ipairs(registry.LIST) do
			local row = ("\n %s %s %s %s\n"):format(entry.name, entry.kind, entry.measured_in, entry.source)
			assert(text:find(row, 1, true), row)
			assert(text:find(("\n %s%%s+%%u"):format(entry.name)), entry.name) -- and a sentence
		end
		local sample = samples.sample {}
		for _, entry in ipairs(registry.REST) do sample[entry.name] = nil end
		for _, entry in ipairs(registry.LIST) do sample[entry.name:match "^[^.]+"] = nil end
		assert.same({}, sample)
	end)

	it("has all columns of a trace", function()
		local names = {}
		for i, column in ipairs(trace.COLUMNS) do names[i] = column.name end
		assert_documented(names, "gcscale.1")
	end)

	it("has all families of /metrics", function()
		local text = page_text["gcscale-policy.5"]:match "\n/METRICS\n(.-)\nTHE PLAN\n"
		local families = require "gridcentric.controller.metric_families"
		local service = require("spec.support.fake_service").new({}).service
		for _, family in ipairs(families.of(service:report(), service.metrics)) do
			local name = family.name:gsub("^gridcentric_", "")
			assert(is_word_in(text, name), name)
		end
	end)

	it("has all that a route is given", function()
		local pool = read "lua/gridcentric/controller/pool.lua"
		local clone = pool:match "@class gridcentric.Clone\n(.-)\n\n"
		for row in section("gcscale-policy.5", "Sh", "ROUTES"):gmatch "\n%.It Li ([%l ,]+)\n" do
			for name in row:gmatch "%l+" do assert(is_word_in(clone, name), name) end
		end
	end)

	it("has all words, units and functions of rules", function()
		local text = page_text["gcscale-policy.5"]:match "\nRULES\n(.-)\n%u%u"
		local grammar = read "lua/gridcentric/policy/rules/grammar.lua"
		for word in grammar:match('reserved in %("([%l ]+)"%)'):gmatch "%l+" do
			assert(is_word_in(text, word), word)
		end
		for name in pairs(history.FUNCTIONS) do assert(is_word_in(text, name), name) end
		for unit in pairs(units.ALL) do assert(unit == "%" or is_word_in(text, unit), unit) end
		for operator in pairs(printer.OPERATORS) do
			assert(text:find("%f[%S]" .. operator:gsub("%p", "%%%0")), operator)
		end
	end)

	it("has all environment variables", function()
		local sources = "csrc lua -name '*.[ch]' -o -name '*.lua'"
		assert_documented(grep('"(GRIDCENTRIC_[%u_]+)"', sources), "gridcentric.3")
		assert_documented(grep('env[%a]*%s*%(?"([%u_]+)"', sources), table.unpack(PAGES))
		assert_documented(grep('"(GC_%u+)=', "csrc/base/hooks.c"), "gridcentric.7")
	end)
end)

-- ---- examples ----------------------------------------------------------------

-- All marked blocks: { kind =, text =, where = }.
local function find_examples()
	local found = {}
	local function add(where, kind, text)
		local number = #found + 1
		found[number] = { kind = kind, text = text, where = ("%s, %s %d"):format(where, kind, number) }
	end
	for _, page in ipairs(PAGES) do
		local source = read("man/" .. page)
		for kind, text in source:gmatch('\n%.\\" example: (%l+)\n%.Bd [^\n]*\n(.-)%.Ed\n') do
			add(page, kind, (text:gsub("\\e", "\\")))
		end
	end
	for kind, text in read("README.md"):gmatch("\n<!%-%- example: (%l+) %-%->\n```%l+\n(.-)```\n") do
		add("README.md", kind, text)
	end
	return found
end

local function example(kind)
	for _, found in ipairs(find_examples()) do
		if found.kind == kind and found.where:find("README", 1, true) then return found.text end
	end
	error("no example: " .. kind)
end

local runners = {}

function runners.policy(t, text)
	local dir = t.tmpdir()
	for key, file in text:gmatch('(%l+) = "([^"]+)"') do
		if key == "script" or key == "image" then write(dir .. "/" .. file, "") end
	end
	write(dir .. "/policy.lua", text)
	local p = assert(policy.load(dir .. "/policy.lua"))
	local state, desired = {}, 0
	for now, n in ipairs { 0, 1, 100, 5, 0 } do
		local sample = samples.sample { sessions = n, connections = n, clones = desired }
		desired = assert(policy.decide(p, now, sample, state, desired))
		assert(desired >= n / 100)
	end
end

function runners.lua(t, text)
	if text:find "gc.clone" and puppet.missing then pending(puppet.missing) end
	local script = t.tmpdir() .. "/example.lua"
	write(script, text)
	local process = t.spawn { "lua5.4", script }
	assert.equal(0, process:wait(), process:describe())
	assert.equal("", process.stderr)
	assert.matches("%S", process.stdout)
end

function runners.c(t, text)
	local dir = t.tmpdir()
	write(dir .. "/program.c", text)
	-- not csrc itself, which has an err.h of its own
	assert(uv.fs_symlink(paths.root .. "/csrc/gridcentric", dir .. "/gridcentric"))
	local compiler = t.spawn { "gcc", "-Wall", "-Wextra", "-Werror", "-o", dir .. "/program",
		dir .. "/program.c", "-I" .. dir, paths.libgridcentric,
		"-Wl,-rpath," .. paths.build .. "/lib" }
	assert.equal(0, compiler:wait(), compiler:describe())
	local process = t.spawn { dir .. "/program" }
	assert.equal(0, process:wait(), process:describe())
	assert.matches("still the master\n", process.stdout)
	assert.matches("clone number 2\n", process.stdout)
end

-- Parsed; and what it names exists.
function runners.shell(t, text)
	local script = t.tmpdir() .. "/script"
	write(script, text)
	local shell = t.spawn { "sh", "-n", script }
	assert.equal(0, shell:wait(), shell:describe())
	local targets = read("Makefile"):match("\n%.PHONY:(.-[^\\])\n")
	for _, start in ipairs { "\nmake ", "sudo make ", "%(make %-s " } do
		for target in ("\n" .. text):gmatch(start .. "(%l+)") do
			assert(is_word_in(targets, target), target)
		end
	end
	for word in ("\n" .. text):gmatch("\n[%w~/]*gcscale ([%w/.-]+)") do
		local is_option = word:find "^%-%-"
		assert(is_option or gcscale_commands.BY_NAME[word] or uv.fs_stat(paths.root .. "/" .. word), word)
	end
	for file in text:gmatch("[%w/-]+%.rockspec") do read(file) end
end

-- What is said of a rule: the text begins at the line that the message names.
function runners.mistake(_, text)
	local message, line, mark = text:match "^[^\n]-(rules: [^\n]*)\n([^\n]*)\n([^\n]*)\n$"
	local before = ("\n"):rep(tonumber(message:match "line (%d+)") - 1)
	local ok, err = pcall(rules, before .. line:sub(2))
	assert.is_false(ok)
	assert.equal(("%s\n%s\n%s"):format(message, line, mark), err:match "rules: .*")
end

function runners.json(_, text)
	local value, _, err = json.decode(text)
	assert(value, err)
end

-- It has a spec of its own below.
function runners.server() end

describe("the example in", function()
	for _, found in ipairs(find_examples()) do
		local tag = found.kind == "c" and " #packaging" or ""
		it(found.where .. " runs" .. tag, function()
			async.run(function(t) assert(runners[found.kind], found.kind)(t, found.text) end,
				{ timeout_ms = 60000 })
		end)
	end
end)

describe("README.md", function()
	it("has Lua that can be parsed", function()
		for text in read("README.md"):gmatch("\n```lua\n(.-)```") do assert(load(text)) end
	end)

	it("lists all examples", function()
		local text = read "README.md"
		for path in output("find examples/policies examples/*.c -type f"):gmatch "[^\n]+" do
			assert(text:find(("](%s)"):format(path), 1, true), path)
		end
		for folder in output("find examples -mindepth 1 -maxdepth 1 -type d"):gmatch "[^\n]+" do
			assert(text:find(("](%s/"):format(folder), 1, true), folder)
		end
	end)

	it("refers to files that exist", function()
		for file in read("README.md"):gmatch("%]%(([^)]+)%)") do
			assert(uv.fs_stat(paths.root .. "/" .. file), file)
		end
	end)

	-- The server asks to be found at port 8080; here at any.
	local function write_server(dir)
		local text, n = example("server"):gsub("setup%(8080,", "setup(0,")
		assert.equal(1, n)
		write(dir .. "/server.lua", text)
	end

	local function assert_served(t, port)
		local first, second = {}, {}
		for _, jar in ipairs { first, first } do
			assert.equal("served by 1\n", t.http { port = port, jar = jar }.body)
		end
		assert.equal("served by 1\n", t.http { port = port, jar = second }.body)
		assert.equal("served by 2\n", t.http { port = port }.body)
	end

	it("has a server and a policy that run under gcscale", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			local dir = t.tmpdir()
			write_server(dir)
			write(dir .. "/policy.lua", example("policy"))
			local p = t.spawn { paths.gcscale, dir .. "/policy.lua", "--listen", "127.0.0.1:0" }
			assert_served(t, tonumber((p:line("listens on http://127.0.0.1:(%d+)"))))
			assert.equal(0, (p:stop()))
		end)
	end)

	it("has a server that scales itself", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			local dir = t.tmpdir()
			write_server(dir)
			local p = t.spawn { "lua5.4", dir .. "/server.lua" }
			assert_served(t, tonumber((p:errline("listens on 127.0.0.1:(%d+)"))))
			p:stop()
		end)
	end)
end)
