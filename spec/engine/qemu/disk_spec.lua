-- limit: 900 s
-- Disks of virtual machines: each writes to its own, and reads what its parent had written when it
-- was made.

local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local tmp = require "spec.support.tmp"
local uv = require "luv"
local vm = require "spec.support.vm"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

local BUILD_MS = 240000
local PORT = 8001
local MERGED_AT = 16 -- layers, as in csrc/engine/vm/disk.h

-- What is to be in each puppet: what it reads comes from the disk, not from memory.
local TOOLS = [[
	kept.path = "/app/notes"
	function kept.note(text)
		local file <close> = assert(io.open(kept.path, "a"))
		assert(file:write(text, "\n"))
		file:close()
		assert(os.execute "sync")
	end
	function kept.notes()
		assert(os.execute "sync && echo 3 > /proc/sys/vm/drop_caches")
		local file <close> = assert(io.open(kept.path))
		return (file:read("a"):gsub("\n", " "))
	end
	function kept.sum(path)
		assert(os.execute "echo 3 > /proc/sys/vm/drop_caches")
		local shown <close> = io.popen("md5sum " .. path)
		return shown:read "a"
	end
]]

local image -- of the puppet, once for this file

local function disk_image(t)
	if image then return image end
	local folder = t.tmpdir()
	assert(uv.fs_copyfile(paths.scripts .. "/puppet.lua", folder .. "/puppet.lua"))
	image = tmp.new() .. "/disk.img"
	local p = t.spawn {
		paths.gcscale, "image", "build", "-o", image, "--disk", "--app", folder,
		"--program", ("lua5.4 puppet.lua 0.0.0.0:%d"):format(PORT),
	}
	assert(p:wait(BUILD_MS) == 0, p:describe())
	return image
end

local function boot(t, options)
	local m = vm.boot(t, disk_image(t), options)
	local master = m:puppet(0)
	master:eval(TOOLS)
	return m, master
end

local function note(p, text) p:eval(("kept.note(%q)"):format(text)) end

local function notes(p) return p:eval "return kept.notes()" end

local function text_of(path)
	local file <close> = assert(io.open(path, "rb"))
	return file:read "a"
end

local function names_in(folder)
	local names = {}
	for name in uv.fs_scandir_next, uv.fs_scandir(folder) do names[#names + 1] = name end
	return names
end

local function engine_of(t)
	for _, stat in ipairs(procfs.marked(t.mark)) do
		if stat.command:find("^%S*/gridcentric%-engine ") then return stat end
	end
	error "no engine"
end

-- The files without names that the engine has open in a folder.
local function layers(t, folder)
	local seen, n = {}, 0
	for _, target in pairs(procfs.descriptors(engine_of(t).pid)) do
		if target:sub(1, #folder) == folder and not seen[target] then seen[target], n = true, n + 1 end
	end
	return n
end

describe("a machine with a disk #qemu", function()
	it("has its own, on what its parent had written", function()
		vm.run(function(t)
			local folder = t.tmpdir()
			local before = text_of(disk_image(t))
			local m, master = boot(t, { env = { GRIDCENTRIC_DISK_DIR = folder } })
			local lua = master:eval "return kept.sum '/usr/bin/lua5.4'"
			note(master, "master")
			local one, two = m:clone(master, 2)
			note(master, "of 0")
			note(one, "of 1")
			note(two, "of 2")
			assert.equal("master of 0 ", notes(master))
			assert.equal("master of 1 ", notes(one))
			assert.equal("master of 2 ", notes(two))

			local three = m:clone(one)
			note(one, "later")
			note(three, "of 3")
			assert.equal("master of 1 later ", notes(one))
			assert.equal("master of 1 of 3 ", notes(three))
			local four = m:clone(master)
			note(four, "of 4")
			assert.equal("master of 0 of 4 ", notes(four))
			assert.equal("master of 0 ", notes(master))
			for _, p in ipairs { master, one, two, three, four } do
				assert.equal(lua, p:eval "return kept.sum '/usr/bin/lua5.4'")
				assert.equal("", p:eval [[
					local shown <close> = io.popen "dmesg | grep -iE 'i/o error|ext4-fs error'"
					return shown:read "a"
				]])
			end
			assert.same({}, names_in(folder))
			assert.equal(0, (m.process:stop()))
			assert.same({}, names_in(folder))
			assert.is_true(before == text_of(image), "the image was written")
		end)
	end)

	it("has files that go with who needs them, and no name", function()
		vm.run(function(t)
			local folder = t.tmpdir()
			local m, master = boot(t, { env = { GRIDCENTRIC_DISK_DIR = folder } })
			note(master, "master")
			local function becomes(n, what)
				t.wait_until(function() return layers(t, folder) == n end, nil, what)
			end
			becomes(1, "the master's layer alone")
			m:clone(master, 2)
			becomes(4, "a frozen layer, the master's, two clones'")
			assert(master:eval [[
				for i = 1, 2 do assert(gc.kill(i)) end
				return true
			]])
			becomes(2, "the end of the clones' layers")
			-- with nothing written in between, clones stand on the same: each adds its own alone
			master:eval "assert(os.execute 'mount -o remount,noatime / && sync')"
			t.wait_until(function()
				local n = layers(t, folder)
				m:clone(master)
				return layers(t, folder) == n + 1
			end, nil, "a clone upon a layer that was frozen before")
			assert(uv.kill(engine_of(t).pid, "sigkill"))
			m.process:wait()
			t.wait_until(function() return #vm.machines(t) == 0 end, nil, "the end of all machines")
			assert.same({}, names_in(folder))
			-- the next engine would remove them
			for _, name in ipairs(names_in(t.state)) do
				if name:find "^disk%-" then os.remove(t.state .. "/" .. name) end
			end
		end)
	end)

	it("merges layers when they are many, and loses nothing", function()
		vm.run(function(t)
			local folder = t.tmpdir()
			local m, master = boot(t, { env = { GRIDCENTRIC_DISK_DIR = folder } })
			local all = ""
			local early
			for i = 1, MERGED_AT do
				note(master, "line " .. i)
				all = all .. ("line %d "):format(i)
				local clone = m:clone(master)
				if i == 2 then
					early = clone
				else
					assert(master:eval(("return gc.kill(%d)"):format(clone.vmid)))
				end
			end
			t.wait_until(function() return layers(t, folder) <= 4 end, nil, "a merged disk")
			local clone = m:clone(master)
			note(clone, "its own")
			note(master, "the end")
			assert.equal(all .. "the end ", notes(master))
			assert.equal(all .. "its own ", notes(clone))
			assert.equal("line 1 line 2 ", notes(early))
			assert.equal(0, (m.process:stop()))
		end)
	end)

	it("cannot stand on one that needs another file", function()
		vm.run(function(t)
			local path = t.tmpdir() .. "/upper.img"
			local p = t.spawn {
				"qemu-img", "create", "-q", "-f", "qcow2", "-b", disk_image(t), "-F", "qcow2", path,
			}
			assert.equal(0, p:wait(), p:describe())
			p = t.spawn { paths.gcscale, "run-image", path, "--accel", "tcg" }
			assert.equal(1, p:wait(), p:describe())
			assert.matches("upper%.img: it needs another file", p.stderr)
		end)
	end)

	it("sees an I/O error when storage is full, and lives on", function()
		if uv.getuid() ~= 0 then return pending "only root can mount a small file system" end
		vm.run(function(t)
			local folder = t.tmpdir()
			local m, master = boot(t, {
				env = { GRIDCENTRIC_DISK_DIR = folder },
				wrap = {
					"unshare", "-m", "sh", "-c",
					'mount -t tmpfs -o size=8m tmpfs "$GRIDCENTRIC_DISK_DIR" && exec "$@"', "sh",
				},
			})
			assert.matches("Input/output error", master:eval [[
				local shown <close> = io.popen "dd if=/dev/urandom of=/app/big bs=1M count=16 conv=fsync 2>&1"
				return shown:read "a"
			]])
			assert.equal(0, master:eval "return gc.vmid()")
			local vmid, err, code = master:eval [[
				return gc.clone(assert(gc.request_ticket(1, 1, 1, 10000)))
			]]
			assert.same({ -1, "ENOSPC" }, { vmid, code }, err)
			assert.equal(0, master:eval "return gc.vmid()")
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)
