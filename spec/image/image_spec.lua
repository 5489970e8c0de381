-- limit: 600 s
-- Images of virtual machines: built, and looked into. None is booted here.
--
-- What is about the order of things is built with a small package that only looks like a kernel's;
-- one image of each shape gets a real one, fetched by apt.

local async = require "spec.support.async"
local files = require "gridcentric.image.files"
local job = require "gridcentric.image.job"
local json = require "dkjson"
local kernel = require "gridcentric.image.kernel"
local libraries = require "gridcentric.image.libraries"
local modules = require "gridcentric.image.modules"
local paths = require "spec.support.paths"
local progress = require "gridcentric.cli.progress"
local terminal = require "gridcentric.cli.terminal"
local tools = require "gridcentric.image.tools"
local uv = require "luv"
local words = require "gridcentric.image.words"
local vm = require "spec.support.vm"

if vm.missing then
	return it("images", function() pending(vm.missing) end)
end

local WITHIN = { timeout_ms = 300000 }
local AGENT = "/gridcentric/gridcentric-agent"
local CHAT = paths.examples .. "/chat"
local silent = { step = function() end, part = function() end }

-- Runs a tool to its end; gives what it has written.
local function run(t, ...)
	local p = t.spawn { ... }
	assert.equal(0, (p:wait()), p:describe())
	return p.stdout
end

-- Runs fn as a build does, to its end.
local function as_job(t, fn)
	local ended, result, err = false, nil, nil
	job.start(silent, fn, function(...) ended, result, err = true, ... end)
	t.wait_until(function() return ended end, nil, "the job's end")
	return result, err
end

-- A folder of C modules as installed: core.so and the agent, for which a text stands where it is
-- not built.
local function installed(t, without_agent)
	local folder = t.tmpdir()
	files.copy(paths.core, folder .. "/gridcentric/core.so")
	if without_agent then return folder end
	local agent = paths.build .. "/lib" .. AGENT
	if files.is_file(agent) then
		files.copy(agent, folder .. AGENT)
	else
		files.write(folder .. AGENT, "#!/bin/sh\n", tonumber("755", 8))
	end
	return folder
end

-- A package that has the shape of a kernel's. Its modules need each other, and are packed.
local NEEDS = {
	virtio_ring = "", virtio = "virtio_ring", virtio_pci = "virtio,virtio-ring",
	virtio_blk = "virtio", virtio_net = "virtio,failover", failover = "", virtio_console = "virtio",
	tcp_diag = "inet_diag", inet_diag = "",
}

local function write_modules(t, folder)
	for name, needs in pairs(NEEDS) do
		local path = folder .. "/kernel/" .. name:gsub("_", "-") .. ".ko"
		files.make_folder(folder .. "/kernel")
		files.write(path, ("license=MIT\0depends=%s\0name=%s\0"):format(needs, name))
		if name ~= "virtio_ring" then run(t, "xz", path) end
	end
	files.write(folder .. "/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
end

local function small_package(t)
	local folder = t.tmpdir()
	files.make_folder(folder .. "/DEBIAN")
	files.write(folder .. "/DEBIAN/control", [[
Package: linux-image-9.9-cloud-amd64
Version: 9.9-1
Architecture: amd64
Maintainer: nobody <nobody@example.org>
Description: not a kernel
]])
	files.make_folder(folder .. "/boot")
	files.write(folder .. "/boot/vmlinuz-9.9-cloud-amd64", "not a kernel")
	files.make_folder(folder .. "/lib/modules/9.9-cloud-amd64")
	write_modules(t, folder .. "/lib/modules/9.9-cloud-amd64")
	run(t, "chmod", "755", folder)
	local package = t.tmpdir() .. "/kernel.deb"
	run(t, "dpkg-deb", "--build", "--root-owner-group", folder, package)
	return package
end

-- A folder with a program.
local function small_app(t, texts)
	local folder = t.tmpdir()
	for name, text in pairs(texts or { ["server.lua"] = "os.exit(0)" }) do
		files.write(folder .. "/" .. name, text)
	end
	return folder
end

-- gcscale with a TMPDIR of its own, in which nothing may be left.
---@param options { lib: string?, path: string?, env: table? } path: tools that come first
local function start(t, options, ...)
	local temporary = t.tmpdir()
	local env = {
		TMPDIR = temporary,
		LUA_CPATH = (options.lib or installed(t)) .. "/?.so;" .. os.getenv "LUA_CPATH",
		PATH = (options.path and options.path .. ":" or "") .. os.getenv "PATH",
	}
	for name, value in pairs(options.env or {}) do env[name] = value end
	local p = t.spawn { "lua5.4", paths.root .. "/lua/gcscale.lua", "image", "build", env = env, ... }
	return p, function()
		local status = p:wait()
		assert.same({}, files.names(temporary))
		return status, p.stderr
	end
end

local function build(t, options, ...)
	local p, wait = start(t, options, ...)
	assert.equal(0, (wait()), p:describe())
	return p.stdout
end

-- What lies in a cpio: path -> { mode, owner, size }.
local function cpio_members(t, path)
	local members = {}
	local listing = run(t, "cpio", "-itvn", "--quiet", "-F", path)
	for mode, owner, group, size, name in
		listing:gmatch "(%S+)%s+%d+%s+(%d+)%s+(%d+)%s+(%d+)%s+%S+%s+%S+%s+%S+%s+([^\n]+)" do
		members[name:gsub(" %-> .*", "")] = { mode = mode, owner = owner .. ":" .. group,
			size = tonumber(size) }
	end
	return members
end

local function extract(t, image)
	local folder = t.tmpdir()
	run(t, "tar", "-xf", image, "-C", folder)
	return folder
end

-- The text of a file in a cpio.
local function cpio_text(t, path, name)
	return run(t, "cpio", "-i", "--quiet", "--to-stdout", "-F", path, name)
end

-- That each module of a list is there, and behind those that it needs.
local function assert_list(text, is_there, needs)
	local seen = {}
	for name, path in text:gmatch "(%S+) (%S+)\n" do
		assert.truthy(is_there(path), path)
		for needed in (needs[name] or ""):gmatch "[^,]+" do
			assert.truthy(seen[needed:gsub("-", "_")], name .. " before " .. needed)
		end
		seen[name] = true
	end
	return seen
end

describe("image build #packaging", function()
	it("packs kernel and files, as the engine looks for them", function()
		async.run(function(t)
			local image = t.tmpdir() .. "/chat.img"
			local hooks = paths.examples .. "/guest/hooks"
			local said = build(t, {}, "-o", image, "--app", CHAT, "--hooks", hooks)
			assert.matches("^1/5 [^\n]+\n2/5 [^\n]+\n3/5 [^\n]+\n4/5 [^\n]+\n5/5 [^\n]+\n", said)

			assert.equal("gridcentric-image\nkernel\ninitrd\n", run(t, "tar", "-tf", image))
			local folder = extract(t, image)
			local about = json.decode(files.read(folder .. "/gridcentric-image"))
			local real = kernel.open(nil, folder .. "/kernel", "")
			assert.same({ version = 1, kernel = real.version, program = { "lua5.4", "server.lua" } },
				about)

			local initrd = folder .. "/initrd"
			assert.is_true(uv.fs_stat(initrd).size < 15e6)
			local members = cpio_members(t, initrd)
			for _, name in ipairs {
				"init", "sbin/init", "bin/busybox", "bin/sh", "usr/bin/env", "usr/bin/lua5.4",
				"etc/inittab", "etc/init.d/rc", "etc/init.d/program", "etc/gridcentric/pre-clone",
				"etc/gridcentric/post-clone", "usr/lib/gridcentric/gridcentric-agent",
				"usr/lib/lua/5.4/gridcentric/core.so", "usr/lib/lua/5.4/luv.so",
				"usr/share/lua/5.4/gridcentric/init.lua", "usr/share/lua/5.4/dkjson.lua",
				"lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6",
				"lib/x86_64-linux-gnu/libuv.so.1", "app/server.lua", "app/page.html",
				"sys", "proc", "dev", "run",
			} do
				assert.truthy(members[name], name)
			end
			for name, member in pairs(members) do assert.equal("0:0", member.owner, name) end
			assert.equal("drwxr-xr-x", members["."].mode)
			assert.equal("drwxrwxrwt", members.tmp.mode)
			assert.equal("-rwxr-xr-x", members["etc/gridcentric/pre-clone"].mode)
			assert.is_nil(members["usr/share/lua/5.4/gridcentric/cli"])

			local seen = assert_list(cpio_text(t, initrd, "etc/gridcentric/modules"), function(path)
				return path:find("/lib/modules/" .. about.kernel .. "/", 1, true) == 1
					and members[path:sub(2)]
			end, { virtio_pci = "virtio,virtio_ring", virtio_net = "virtio,net_failover",
				net_failover = "failover", tcp_diag = "inet_diag" })
			for _, name in ipairs { "virtio_pci", "virtio_console", "virtio_net", "tcp_diag" } do
				assert.is_true(seen[name], name)
			end
		end, WITHIN)
	end)

	it("makes a disk that a BIOS can boot", function()
		async.run(function(t)
			local folder = t.tmpdir()
			local image, raw = folder .. "/chat.qcow2", folder .. "/raw"
			build(t, {}, "-o", image, "--app", CHAT, "--disk", "--size", "256M")
			local info = json.decode(run(t, "qemu-img", "info", "--output=json", image))
			assert.equal("qcow2", info.format)
			assert.equal(256 * 2 ^ 20, info["virtual-size"])

			run(t, "qemu-img", "convert", "-O", "raw", image, raw)
			local code = io.open(raw, "rb")
			assert.not_equal(("\0"):rep(16), code:read(16))
			code:close()
			local partitions = json.decode(run(t, tools.find "sfdisk", "--json", raw)).partitiontable
				.partitions
			assert.equal(2, #partitions)
			assert.is_true(partitions[1].bootable)
			local names = run(t, "mdir", "-b", "-a", "-i", raw .. "@@1M", "::")
			for _, name in ipairs { "kernel", "initrd", "syslinux.cfg", "ldlinux.sys" } do
				assert.matches("/" .. name:gsub("%p", "%%%0") .. "\n", names)
			end
			local initrd = folder .. "/initrd"
			run(t, "mcopy", "-i", raw .. "@@1M", "::/initrd", initrd)
			local members = cpio_members(t, initrd)
			assert_list(cpio_text(t, initrd, "modules"),
				function(path) return members[path:sub(2)] end, {})
			assert.truthy(members["bin/switch_root"])

			local root = ("%s?offset=%d"):format(raw, partitions[2].start * 512)
			run(t, tools.find "e2fsck", "-fn", root)
			for _, path in ipairs { "/", "/app/server.lua", "/usr/lib/gridcentric/gridcentric-agent" } do
				local stat = run(t, tools.find "debugfs", "-R", "stat " .. path, root)
				assert.matches("User:%s+0%s+Group:%s+0", stat, path)
			end
		end, WITHIN)
	end)

	it("takes the words of --program, and what is in the folder as it is", function()
		async.run(function(t)
			local app = small_app(t, { ["my script.lua"] = "", ["it's"] = "" })
			files.make_folder(app .. "/.git")
			files.link("my script.lua", app .. "/link")
			local image = app .. "/a.img"
			local options = { lib = installed(t) }
			local args = { "-o", image, "--app", app, "--kernel", small_package(t),
				"--program", [[sh -c 'exec lua5.4 "$1"' "it's" "my script.lua"]] }
			files.write(image, "the old one")
			build(t, options, table.unpack(args))
			build(t, options, table.unpack(args)) -- the image is not to be in the image
			assert.same({ ".git", "a.img", "it's", "link", "my script.lua" }, files.names(app))
			local folder = extract(t, image)
			assert.same({ "sh", "-c", 'exec lua5.4 "$1"', "it's", "my script.lua" },
				json.decode(files.read(folder .. "/gridcentric-image")).program)
			assert.equal("not a kernel", files.read(folder .. "/kernel"))
			local members = cpio_members(t, folder .. "/initrd")
			assert.equal("l", members["app/link"].mode:sub(1, 1))
			assert.truthy(members["app/it's"])
			assert.is_nil(members["app/.git"])
			assert.is_nil(members["app/a.img"])
			assert.matches([[-- 'sh' '-c' 'exec lua5.4 "$1"' 'it'\''s' 'my script.lua')]],
				cpio_text(t, folder .. "/initrd", "etc/init.d/program"), 1, true)
			local packed = assert_list(cpio_text(t, folder .. "/initrd", "etc/gridcentric/modules"),
				function(path) return members[path:sub(2)] and path:find "%.ko$" end, NEEDS)
			for name in pairs(NEEDS) do assert.is_true(packed[name], name) end
		end, WITHIN)
	end)

	it("says what is wrong, and leaves nothing", function()
		async.run(function(t)
			local app = small_app(t)
			local folder = t.tmpdir()
			local lib = installed(t)
			local image = folder .. "/a.img"
			local package = small_package(t)
			for _, case in ipairs {
				{ 2, "missing option '%-%-app'", "-o", image },
				{ 2, "missing option", "--app", app },
				{ 2, "%-%-size needs %-%-disk", "-o", image, "--app", app, "--size", "2G" },
				{ 2, [[a size such as "2G" expected]], "-o", image, "--app", app, "--disk", "--size", "2X" },
				{ 1, "%-%-app: /nowhere is no folder", "-o", image, "--app", "/nowhere" },
				{ 1, "no server.lua: say with %-%-program", "-o", image, "--app", folder },
				{ 1, "the quotes do not match", "-o", image, "--app", app, "--program", "sh 'x" },
				{ 1, "perl6 is not in the image", "-o", image, "--app", app, "--program", "perl6 x" },
				{ 1, "no.lua is not in %-%-app", "-o", image, "--app", app, "--program",
					"lua5.4 no.lua" },
				{ 1, "not executable", "-o", image, "--app", app, "--program", "./server.lua" },
				{ 1, "there is no folder", "-o", folder .. "/no/a.img", "--app", app },
				{ 1, "is a folder", "-o", folder, "--app", app },
				{ 1, "holds neither", "-o", image, "--app", app, "--hooks", app },
				{ 1, "/nowhere is no file", "-o", image, "--app", app, "--kernel", "/nowhere" },
				{ 1, "neither a Debian package nor a kernel", "-o", image, "--app", app, "--kernel",
					app .. "/server.lua" },
				{ 1, "too small: at least %d+ MiB", "-o", image, "--app", app, "--kernel", package,
					"--disk", "--size", "2M" },
			} do
				local p, wait = start(t, { lib = lib }, table.unpack(case, 3))
				local status, said = wait()
				assert.equal(case[1], status, p:describe())
				assert.matches(case[2], said)
			end
			local _, wait = start(t, { lib = installed(t, true) }, "-o", image, "--app", app)
			local status, said = wait()
			assert.equal(1, status)
			assert.matches("gridcentric%-agent: not there", said)
			assert.same({}, files.names(folder))
		end, WITHIN)
	end)

	it("tells what a tool said that failed", function()
		async.run(function(t)
			local bin = t.tmpdir()
			files.write(bin .. "/cpio", "#!/bin/sh\necho the disk is full >&2; exit 3\n",
				tonumber("755", 8))
			local image = t.tmpdir() .. "/a.img"
			files.write(image, "the old one")
			local _, wait = start(t, { path = bin }, "-o", image, "--app", small_app(t), "--kernel",
				small_package(t))
			local status, said = wait()
			assert.equal(1, status)
			assert.equal("gcscale: cpio failed (status 3): the disk is full\n", said)
			assert.equal("the old one", files.read(image))
			assert.is_nil(files.kind(image .. ".part"))
		end, WITHIN)
	end)

	it("ends by a signal, with all that it has started", function()
		async.run(function(t)
			for name, number in pairs { sigint = 2, sigterm = 15, sighup = 1 } do
				local bin, here = t.tmpdir(), t.tmpdir() .. "/here"
				-- tar is the last one: half of the image is there
				files.write(bin .. "/tar", ([[#!/bin/sh
for word; do case $word in --file=*) echo half >"${word#--file=}" ;; esac; done
echo >'%s'
sleep 1000
]]):format(here), tonumber("755", 8))
				local image = t.tmpdir() .. "/a.img"
				local p, wait = start(t, { path = bin }, "-o", image, "--app", small_app(t),
					"--kernel", small_package(t))
				t.wait_until(function() return files.is_file(here) end, nil, "tar's start")
				p:kill(name)
				assert.equal(128 + number, (wait()))
				assert.is_nil(files.kind(image))
				assert.is_nil(files.kind(image .. ".part"))
			end
		end, WITHIN)
	end)

	describe("fetches the kernel", function()
		-- An apt that knows one package, which it copies; each copy is noted.
		local function fake_apt(t, package, sum)
			local bin = t.tmpdir()
			sum = sum or run(t, "sha256sum", package):match "%x+"
			files.write(bin .. "/apt-cache", ([[#!/bin/sh
case $* in
*" linux-image-cloud-amd64") echo "Package: linux-image-cloud-amd64
Depends: linux-image-9.9-cloud-amd64 (= 9.9-1)" ;;
*" linux-image-9.9-cloud-amd64") echo "Package: linux-image-9.9-cloud-amd64
Version: 1:9.9-1
Architecture: amd64
Size: 1000
SHA256: %s" ;;
*) exit 100 ;;
esac
]]):format(sum), tonumber("755", 8))
			files.write(bin .. "/apt-get", ([[#!/bin/sh
echo "$*" >>'%s/log'
case $* in
*" download linux-image-9.9-cloud-amd64=1:9.9-1") cp '%s' linux-image-9.9.deb ;;
*) exit 100 ;;
esac
]]):format(bin, package), tonumber("755", 8))
			return bin
		end

		local function downloads(bin)
			return select(2, files.read(bin .. "/log"):gsub("\n", ""))
		end

		it("by apt, once", function()
			async.run(function(t)
				local bin = fake_apt(t, small_package(t))
				local cache, folder = t.tmpdir(), t.tmpdir()
				local options = { path = bin, lib = installed(t), env = { XDG_CACHE_HOME = cache } }
				local args = { "-o", folder .. "/a.img", "--app", small_app(t) }
				local said = build(t, options, table.unpack(args))
				assert.matches("kernel 9%.9%-cloud%-amd64", said)
				build(t, options, table.unpack(args))
				assert.equal(1, downloads(bin))
				local kept = cache .. "/gridcentric/" .. files.names(cache .. "/gridcentric")[1]
				assert.equal(1, #files.names(cache .. "/gridcentric"))

				files.write(kept, "spoilt")
				build(t, options, table.unpack(args))
				assert.equal(2, downloads(bin))

				files.write(bin .. "/apt-cache", "#!/bin/sh\nexit 100\n", tonumber("755", 8))
				build(t, options, table.unpack(args)) -- the last one serves
				assert.equal(2, downloads(bin))
			end, WITHIN)
		end)

		it("or says how else to get one", function()
			async.run(function(t)
				local bin, cache = fake_apt(t, small_package(t)), t.tmpdir()
				local options = { path = bin, lib = installed(t), env = { XDG_CACHE_HOME = cache } }
				local image, app = t.tmpdir() .. "/a.img", small_app(t)
				local function fails()
					local p, wait = start(t, options, "-o", image, "--app", app)
					local status, said = wait()
					assert.equal(1, status, p:describe())
					return said
				end
				files.write(bin .. "/apt-get", "#!/bin/sh\necho no network >&2; exit 100\n",
					tonumber("755", 8))
				assert.matches("%-%-kernel%): apt%-get failed %(status 100%): no network", fails())
				files.write(bin .. "/apt-cache", "#!/bin/sh\nexit 100\n", tonumber("755", 8))
				assert.matches("apt%-get update as root, or give a kernel with %-%-kernel", fails())
				assert.same({}, files.names(cache .. "/gridcentric"))
			end, WITHIN)
		end)
	end)
end)

describe("image #pure", function()
	it("splits a command into words", function()
		for text, expected in pairs {
			["lua5.4 server.lua"] = { "lua5.4", "server.lua" },
			["  a\t b\n"] = { "a", "b" },
			[ [[a "b c" 'd "e' f\ g]] ] = { "a", "b c", 'd "e', "f g" },
			[ [[x"y z"'w' "" "\"\\\n"]] ] = { "xy zw", "", [["\\n]] },
		} do
			assert.same(expected, words(text))
		end
		for _, text in ipairs { "", "  ", "'a", 'a "b', "a\\", "'' a", "a '\n'" } do
			local found, err = words(text)
			assert.is_nil(found, text)
			assert.is_string(err)
		end
	end)

	it("reads what ldd writes", function()
		assert.same({
			["libm.so.6"] = "/lib/x86_64-linux-gnu/libm.so.6",
			["libx.so"] = "/opt/a b/libx.so",
			["/lib64/ld-linux-x86-64.so.2"] = "/lib64/ld-linux-x86-64.so.2",
		}, libraries.parse [[
/usr/bin/one:
	linux-vdso.so.1 (0x00007ffe3b5d2000)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f2b0d8f0000)
	libx.so => /opt/a b/libx.so (0x00007f2b0d8f0000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f2b0dbe4000)
/usr/bin/two:
	statically linked
]])
		local ok, err = pcall(libraries.parse, "/app/x.so:\n\tliby.so.1 => not found\n")
		assert.is_false(ok)
		assert.equal("the library liby.so.1 is not found, which needs /app/x.so", tostring(err))
	end)

	it("shows each step on a line, on a terminal with a bar", function()
		local function shown(of)
			local said = {}
			local p = progress.new(of, 2, function(text) said[#said + 1] = text end)
			p.step "one"
			p.part(0.5)
			p.step "two"
			p.finish()
			return table.concat(said)
		end
		assert.equal("1/2 one\n2/2 two\n", shown(terminal.new(false)))
		local none, half, all = ("."):rep(20), ("#"):rep(10), ("#"):rep(20)
		local dumb = terminal.new(true, 60, function(name) return name == "TERM" and "dumb" or nil end)
		local function line(bar, text) return "\r[" .. bar .. "] " .. text .. "\27[K" end
		assert.equal(line(none, "1/2 one") .. line(("#"):rep(5) .. ("."):rep(15), "1/2 one")
			.. line(half .. ("."):rep(10), "1/2 one") .. "\n"
			.. line(half .. ("."):rep(10), "2/2 two") .. line(all, "2/2 two") .. "\n", shown(dumb))
	end)

	it("names the modules that a kernel lacks", function()
		async.run(function(t)
			local folder, root = t.tmpdir(), t.tmpdir()
			write_modules(t, folder)
			local of = { version = "9.9", modules = folder }
			local function install(wanted, optional)
				return as_job(t, function(self)
					return modules.install(self, of, root, wanted, optional)
				end)
			end
			assert.equal("inet_diag /lib/modules/9.9/kernel/inet-diag.ko\n"
				.. "tcp_diag /lib/modules/9.9/kernel/tcp-diag.ko\n",
				install({ "tcp_diag", "ext4" }, { "virtio_rng" }))
			local _, err = install { "no_such" }
			assert.equal("the kernel 9.9 has no no_such", err)
			of.modules = nil
			_, err = install { "virtio_pci" }
			assert.equal("the kernel 9.9 has no virtio_pci, and its modules are not found", err)
		end)
	end)
end)
