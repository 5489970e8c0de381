-- The parts of the Makefile that a user meets beside the build itself.

local uv = require "luv"
local async = require "spec.support.async"
local paths = require "spec.support.paths"

-- Runs `make -s env` in a folder and evaluates it there; gives the output of the
-- shell commands after that.
local function with_env(t, folder, commands, env)
	local p = t.spawn{ "sh", "-euc", [[eval "$(make -s env)"; ]] .. commands, cwd = folder, env = env }
	assert.equal(0, (p:wait()), p:describe())
	return p.stdout
end

local function assert_begins(prefix, text) assert.equal(prefix, text:sub(1, #prefix)) end

describe("make env #packaging", function()
	local nothing = { LUA_PATH = false, LUA_CPATH = false }
	local print_paths = [[lua5.4 -e 'print(package.path) print(package.cpath)'; echo "$PATH"]]

	it("sets absolute paths, before Lua's own, also where none are set", function()
		async.run(function(t)
			local out = with_env(t, paths.root, print_paths, nothing)
			local path, cpath, bin = out:match("^(.*)\n(.*)\n(.*)\n$")
			local root = paths.root
			assert_begins(("%s/lua/?.lua;%s/lua/?/init.lua;"):format(root, root), path)
			assert.matches(";/usr/", path)
			assert_begins(root .. "/build/lib/?.so;", cpath)
			assert_begins(root .. "/build/bin:", bin)
		end)
	end)

	it("keeps what the user has set", function()
		async.run(function(t)
			local out = with_env(t, paths.root, print_paths,
				{ LUA_PATH = "/mine/?.lua", LUA_CPATH_5_4 = "/mine/?.so" })
			assert.matches(";/mine/%?.lua\n", out)
			assert.matches(";/mine/%?.so\n", out)
		end)
	end)

	it("quotes a path with blanks, quotes and dollars", function()
		async.run(function(t)
			local odd = t.tmpdir() .. [[/it's a "$HOME" place]]
			assert(uv.fs_mkdir(odd, 448))
			assert(uv.fs_symlink(paths.root .. "/Makefile", odd .. "/Makefile"))
			local out = with_env(t, odd, [[echo "$LUA_PATH"]], nothing)
			assert_begins(odd .. "/lua/?.lua;", out)
		end)
	end)
end)

describe("what is missing #packaging", function()
	it("is named in plain words, with the command that mends it", function()
		async.run(function(t)
			local p = t.spawn{ "/bin/sh", paths.root .. "/.ci/missing",
				env = { LUA = "lua-not-there", CC = "cc-not-there" } }
			assert.equal(1, (p:wait()))
			assert.matches("a C compiler; `cc%-not%-there` does not work %(gcc%)", p.stderr)
			assert.matches("the Lua interpreter lua%-not%-there", p.stderr)
			assert.matches("\n  make deps\n$", p.stderr)
		end)
	end)

	it("is not a compiler that is a command with arguments", function()
		async.run(function(t)
			for _, cc in ipairs{ "env gcc", "gcc -m64" } do
				local p = t.spawn{ "/bin/sh", paths.root .. "/.ci/missing", env = { CC = cc } }
				assert.same({ 0, 0 }, { p:wait() }, p:describe())
			end
		end)
	end)

	-- A compiler that knows nothing of what the program does not have.
	local function compiler(t, script)
		local path = t.tmpdir() .. "/cc"
		local file = assert(io.open(path, "w"))
		file:write("#!/bin/sh\n" .. script)
		file:close()
		assert(uv.fs_chmod(path, 493)) -- 0755
		return path
	end

	it("is the library that the compiler does not find, by its name", function()
		async.run(function(t)
			local cc = compiler(t, 'case "$*" in *-lmnl*) exit 1 ;; esac; exec gcc "$@"\n')
			local p = t.spawn{ "/bin/sh", paths.root .. "/.ci/missing", env = { CC = cc } }
			assert.equal(1, (p:wait()))
			assert.matches("the library mnl for `" .. cc:gsub("%p", "%%%0") .. "` %(libmnl%-dev%)", p.stderr)
			assert.is_nil(p.stderr:find("sqlite3", 1, true))
		end)
	end)

	it("is glibc, where the compiler builds for another C library", function()
		async.run(function(t)
			-- as musl's headers, which do not define __GLIBC__
			local cc = compiler(t, 'exec gcc "$@" | grep -v GLIBC\n')
			local p = t.spawn{ "/bin/sh", paths.root .. "/.ci/missing", env = { CC = cc } }
			assert.equal(1, (p:wait()))
			assert.matches("another C library than glibc.*musl %(Alpine Linux%) is not supported", p.stderr)
			assert.is_nil(p.stderr:find("make deps", 1, true))
		end)
	end)

	it("is nothing here", function()
		async.run(function(t)
			local p = t.spawn{ "/bin/sh", paths.root .. "/.ci/missing" }
			assert.same({ 0, 0 }, { p:wait() })
			assert.equal("", p.stdout .. p.stderr)
		end)
	end)

	it("is printed as a command where it cannot be installed", function()
		async.run(function(t)
			-- an apt-get and a sudo that fail, for whoever runs this
			local bin = t.tmpdir()
			for _, name in ipairs{ "apt-get", "sudo" } do
				local file = assert(io.open(bin .. "/" .. name, "w"))
				file:write("#!/bin/sh\nexit 1\n")
				file:close()
				assert(uv.fs_chmod(bin .. "/" .. name, 493)) -- 0755
			end
			local p = t.spawn{ paths.root .. "/.ci/install-packages", "no-such-package",
				env = { PATH = bin .. ":" .. os.getenv("PATH") } }
			assert.equal(1, (p:wait()))
			assert.matches("\n  [sudo ]*sh %-c 'apt%-get update && apt%-get install %-y "
				.. "%-%-no%-install%-recommends no%-such%-package'\n$", p.stderr)
		end)
	end)
end)
