-- limit: 600 s
-- Installs into empty folders, by luarocks and by `make install`, and uses what is
-- there. The build in build/ serves for both.

local async = require "spec.support.async"
local paths = require "spec.support.paths"
local uv = require "luv"

local deadline_ms = 250000

-- Runs a command in the sources to its end; gives its output.
local function run(t, ...)
	local p = t.spawn{ cwd = paths.root, env = { LUA_PATH = false, LUA_CPATH = false }, ... }
	local status = p:wait(deadline_ms)
	assert.equal(0, status, p:describe())
	return p.stdout
end

-- That the command runs, from another folder, and that Lua finds the module.
local function assert_usable(t, bin, prefix)
	assert.matches("gcscale", run(t, bin .. "/gcscale", "--version"))
	local link = t.tmpdir() .. "/command"
	assert(uv.fs_symlink(bin .. "/gcscale", link))
	local p = t.spawn{ link, "--version", cwd = "/", env = { LUA_PATH = false, LUA_CPATH = false } }
	assert.equal(0, (p:wait()), p:describe())

	local lua = t.spawn{ "lua5.4", "-e", "print(package.searchpath('gridcentric.core', package.cpath))"
		.. "require 'gridcentric.core' require 'gridcentric'", env = {
		LUA_PATH = prefix .. "/share/lua/5.4/?.lua;" .. prefix .. "/share/lua/5.4/?/init.lua;;",
		LUA_CPATH = prefix .. "/lib/lua/5.4/?.so;;",
	} }
	assert.equal(0, (lua:wait()), lua:describe())
	assert.equal(prefix .. "/lib/lua/5.4/gridcentric/core.so\n", lua.stdout)
end

describe("an installation #packaging #slow", function()
	it("by luarocks into an empty tree works", function()
		async.run(function(t)
			local tree = t.tmpdir()
			run(t, "luarocks", "--lua-version", "5.4", "--tree", tree, "make",
				"rockspec/gridcentric-scm-1.rockspec")
			assert_usable(t, tree .. "/bin", tree)
		end, { timeout_ms = deadline_ms })
	end)

	it("by make install works, also for C", function()
		async.run(function(t)
			local prefix = t.tmpdir()
			run(t, "make", "install", "PREFIX=" .. prefix)
			assert_usable(t, prefix .. "/bin", prefix)
			local program = t.tmpdir() .. "/program"
			run(t, "sh", "-c", ([[printf '%%s\n' '#include <gridcentric/gc-guest.h>' \
				'int main(void) { return gc_vmid(); }' |
				cc -x c -o %s - -I%s/include -L%s/lib -lgridcentric -Wl,-rpath,%s/lib]]):format(
				program, prefix, prefix, prefix))
			run(t, program)
		end, { timeout_ms = deadline_ms })
	end)

	it("is removed by make uninstall, and nothing else", function()
		async.run(function(t)
			local prefix = t.tmpdir() .. "/two words"
			local function files()
				return run(t, "find", prefix, "-not", "-type", "d", "-printf", "%P\n")
			end
			local mine = { "/bin/mine", "/share/lua/5.4/gridcentric/mine.lua" }
			assert(uv.fs_mkdir(prefix, 493))
			run(t, "make", "install", "PREFIX=" .. prefix)
			assert.matches("gridcentric%-engine\n", files())
			for _, file in ipairs(mine) do assert(io.open(prefix .. file, "w")):close() end
			run(t, "make", "uninstall", "PREFIX=" .. prefix)
			local left = {}
			for file in files():gmatch "[^\n]+" do left[#left + 1] = "/" .. file end
			table.sort(left)
			assert.same(mine, left)
			assert(uv.fs_unlink(prefix .. mine[2]))
			run(t, "make", "install", "uninstall", "PREFIX=" .. prefix)
			assert.equal("bin/mine\n", files())
			assert.equal("", run(t, "find", prefix, "-name", "gridcentric"))
		end, { timeout_ms = deadline_ms })
	end)

	it("says what to set, which is enough, also where the shell leaves ~ as it is", function()
		async.run(function(t)
			local home = t.tmpdir()
			local p = t.spawn { "make", "install", "PREFIX=~/two words", cwd = paths.root,
				env = { HOME = home, LUA_PATH = false, LUA_CPATH = false } }
			assert.equal(0, p:wait(deadline_ms), p:describe())
			assert.is_truthy(uv.fs_stat(home .. "/two words/bin/gcscale"))
			local exports = {}
			for line in p.stdout:gmatch "\n  (export [^\n]*)" do exports[#exports + 1] = line end
			assert.equal(3, #exports)
			exports[#exports + 1] = [[lua5.4 -e 'require "gridcentric" require "gridcentric.core"'
				gcscale --version]]
			local shell = t.spawn { "sh", "-euc", table.concat(exports, "\n"), cwd = "/",
				env = { HOME = home, LUA_PATH = false, LUA_CPATH = false } }
			assert.equal(0, shell:wait(), shell:describe())
			assert.matches("^gcscale %d", shell.stdout)
		end, { timeout_ms = deadline_ms })
	end)
end)
