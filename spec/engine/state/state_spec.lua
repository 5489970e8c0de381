-- The state folder: which it is, and when it is refused.

local uv = require "luv"
local async = require "spec.support.async"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"

local nobody = 65534

local function mode_of(path) return assert(uv.fs_lstat(path)).mode & 511 end

-- Opens the folder; create is true if not said. Gives what state_open gave.
local function open(t, folder, create)
	uv.os_setenv("GRIDCENTRIC_STATE", folder)
	return parts.open(t).core:state(create ~= false)
end

local function opens(t, folder, path, create)
	assert.equal(path or folder, (open(t, folder, create)))
end

local function refuses(t, folder, pattern, code, create)
	local dir, text, name = open(t, folder, create)
	assert.is_nil(dir)
	assert.matches(pattern, text)
	assert.equal(code, name)
end

-- Runs a shell script in a mount namespace of its own, then opens the folder there.
local function open_in_namespace(t, script, env, create)
	local p = t.spawn{
		"unshare", "-m", "sh", "-ec", script .. '\nexec lua5.4 "$0"',
		paths.scripts .. "/engine_parts.lua",
		env = env, stdin = ("core:state(%s)\n"):format(create ~= false),
	}
	assert.equal(0, (p:wait()), p:describe())
	return p.stdout
end

describe("the state folder", function()
	it("is made with mode 0700, whatever the umask", function()
		async.run(function(t)
			local dir = t.tmpdir() .. "/state"
			local script = ('umask 0; exec lua5.4 "%s/engine_parts.lua"'):format(paths.scripts)
			local p = t.spawn{ "sh", "-c", script, env = { GRIDCENTRIC_STATE = dir },
				stdin = "core:state(true)\n" }
			assert.equal(0, (p:wait()))
			assert.equal("=\t" .. dir .. "\n", p.stdout)
			assert.equal(448, mode_of(dir))
		end)
	end)

	it("is taken as it is when others may only read", function()
		async.run(function(t)
			local dir = t.tmpdir()
			uv.fs_chmod(dir, 493) -- 0755
			opens(t, dir)
			assert.equal(493, mode_of(dir))
		end)
	end)

	it("loses its trailing slashes", function()
		async.run(function(t)
			local dir = t.tmpdir()
			opens(t, dir .. "//", dir)
		end)
	end)

	it("is absolute, also when it was given otherwise", function()
		async.run(function(t)
			local dir, cwd = t.tmpdir(), uv.cwd()
			t.defer(function() uv.chdir(cwd) end)
			uv.chdir(dir)
			opens(t, "here", dir .. "/here")
		end)
	end)

	it("lies in XDG_RUNTIME_DIR", function()
		async.run(function(t)
			local dir, outer = t.tmpdir(), os.getenv("XDG_RUNTIME_DIR")
			uv.os_setenv("XDG_RUNTIME_DIR", dir)
			t.defer(function()
				if outer then
					uv.os_setenv("XDG_RUNTIME_DIR", outer)
				else
					uv.os_unsetenv("XDG_RUNTIME_DIR")
				end
			end)
			opens(t, "", dir .. "/gridcentric")
		end)
	end)

	for name, spoil in pairs{
		["is missing"] = function(dir) uv.fs_rmdir(dir) end,
		["belongs to another user"] = function(dir) uv.fs_chown(dir, nobody, nobody) end,
	} do
		it("lies in /run for root when XDG_RUNTIME_DIR " .. name .. " #root", function()
			if parts.needs_mounts() then pending(parts.needs_mounts()) end
			async.run(function(t)
				local dir = t.tmpdir()
				spoil(dir)
				local output = open_in_namespace(t, "mount -t tmpfs none /run",
					{ GRIDCENTRIC_STATE = "", XDG_RUNTIME_DIR = dir })
				assert.equal("=\t/run/gridcentric\n", output)
			end)
		end)
	end

	it("is refused when it is a link, also behind a slash", function()
		async.run(function(t)
			local dir = t.tmpdir()
			uv.fs_symlink(dir, dir .. "/link")
			refuses(t, dir .. "/link", "^state folder .*/link: is a link$", "ELOOP")
			refuses(t, dir .. "/link/", "^state folder .*/link: is a link$", "ELOOP")
		end)
	end)

	it("is refused when it is a link to nothing", function()
		async.run(function(t)
			local dir = t.tmpdir()
			uv.fs_symlink(dir .. "/nothing", dir .. "/link")
			refuses(t, dir .. "/link", "is a link$", "ELOOP")
			assert.is_nil((uv.fs_lstat(dir .. "/nothing")))
		end)
	end)

	it("is refused when it is a file", function()
		async.run(function(t)
			local path = t.tmpdir() .. "/file"
			assert(io.open(path, "w")):close()
			refuses(t, path, "^state folder .*/file: Not a directory$", "ENOTDIR")
		end)
	end)

	for _, mode in ipairs{ 504, 509, 450, 1023 } do -- 0770, 0775, 0702, 1777
		local text = ("%04o"):format(mode)
		it("is refused when group or others may write to it, mode " .. text, function()
			async.run(function(t)
				local dir = t.tmpdir()
				uv.fs_chmod(dir, mode)
				refuses(t, dir, "group or others may write to it %(mode " .. text .. "%)$", "EPERM")
				refuses(t, dir, "group or others may write to it", "EPERM", false)
			end)
		end)
	end

	it("is refused when it belongs to another user #root", function()
		if parts.needs_root() then pending(parts.needs_root()) end
		async.run(function(t)
			local dir = t.tmpdir()
			uv.fs_chown(dir, nobody, nobody)
			refuses(t, dir, "belongs to uid 65534, not to uid 0$", "EPERM")
		end)
	end)

	it("is refused when the folder that it is to lie in is missing", function()
		async.run(function(t)
			refuses(t, t.tmpdir() .. "/a/b", "/a/b: cannot be made: No such file", "ENOENT")
		end)
	end)

	it("is not made for a reader", function()
		async.run(function(t)
			local dir = t.tmpdir() .. "/state"
			refuses(t, dir, "No such file", "ENOENT", false)
			assert.is_nil((uv.fs_lstat(dir)))
		end)
	end)

	it("is refused when its path is too long", function()
		async.run(function(t)
			refuses(t, "/" .. ("a/"):rep(2050), "File name too long", "ENAMETOOLONG")
		end)
	end)

	it("is refused when it is read-only, but for a reader #root", function()
		if parts.needs_mounts() then pending(parts.needs_mounts()) end
		async.run(function(t)
			local dir = t.tmpdir()
			local mount = ("mount --bind '%s' '%s'; mount -o remount,ro,bind '%s'"):format(dir, dir, dir)
			local env = { GRIDCENTRIC_STATE = dir }
			assert.equal(
				("=\tnil\tstate folder %s: not writable: Read-only file system\tEROFS\n"):format(dir),
				open_in_namespace(t, mount, env))
			assert.equal("=\t" .. dir .. "\n", open_in_namespace(t, mount, env, false))
		end)
	end)
end)
