-- Virtual machines for specs: images of programs, and gcscale with them. Emulated.
--
--	vm.run(body, options)           async.run, with the time that machines need; skips where there
--	                                are none; fails where one leaves something behind
--	vm.image(t, name, what)         an image's path; built once for each name in a spec file.
--	                                what: { app = folder } or { files = { NAME = path } }, and
--	                                { program =, hooks = { NAME = text } }
--	vm.puppet_image(t)              of spec/scripts/puppet.lua on port 8001; also in it: the
--	                                examples clone.lua and bin/clone-example
--	vm.POLICY                       keys of a policy file for machines of that image: a format
--	local m = vm.boot(t, image, { port = 8001, memory = "128M", env =, wrap = words before gcscale })
--	                                gcscale run-image; waits until it is ready
--	vm.of(t, process, name)         the same for one that was started otherwise
--	m.process, m.name
--	m:domains()                     vmid -> what `gcscale status` knows; ip and port of the first
--	                                endpoint with it
--	m:puppet(vmid)                  speaks with the puppet there
--	m:clone(puppet, n)              has it clone itself; gives the puppets of the clones, in order.
--	                                kept.in_clone is called first thing in each clone
--	m:events(what)                  those of the ledger, oldest first
--	vm.machines(t)                  the QEMU processes of the run that live, as procfs.stat
--	vm.files(t)                     names in the state folder that are an engine's, and in /dev/shm

local assert = require "luassert"
local async = require "spec.support.async"
local files = require "gridcentric.image.files"
local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local tmp = require "spec.support.tmp"
local uv = require "luv"

local vm = {}

local QEMU = "qemu-system-x86_64"
local BUILD_MS, BOOT_MS, CLONE_MS, RUN_MS = 240000, 120000, 120000, 300000
local PUPPET_PORT = 8001

vm.POLICY = [[
	listen = "127.0.0.1:8080", backend = "qemu",
	app = { image = %q, port = 8001, memory = "128M", accel = "tcg" },
]]

-- Why there are no machines here, if so.
local function missing()
	for _, program in ipairs { QEMU, "busybox", "setpriv" } do
		local found = false
		for folder in os.getenv "PATH":gmatch "[^:]+" do
			found = found or uv.fs_access(folder .. "/" .. program, "X")
		end
		if not found then return program .. " is not installed" end
	end
	-- what is built with a sanitizer does not run without its library, which no image has
	if (os.getenv "LD_PRELOAD" or ""):find "lib[a-z]+san" then return "built with a sanitizer" end
	return puppet.missing
end

---@type string?
vm.missing = missing()

-- ---- images ------------------------------------------------------------------

local images = {} -- name -> path, for this spec file

local function fill(folder, what)
	for name, path in pairs(what) do
		local mode = uv.fs_access(path, "X") and tonumber("755", 8) or tonumber("644", 8)
		files.copy(path, folder .. "/" .. name, mode)
	end
	return folder
end

local function build(t, path, what)
	local command = { paths.gcscale, "image", "build", "-o", path, "--app",
		what.app or fill(t.tmpdir(), what.files) }
	local function add(...) table.move({ ... }, 1, 2, #command + 1, command) end
	if what.program then add("--program", what.program) end
	if what.hooks then
		local folder = t.tmpdir()
		for name, text in pairs(what.hooks) do files.write(folder .. "/" .. name, text) end
		add("--hooks", folder)
	end
	local p = t.spawn(command)
	assert(p:wait(BUILD_MS) == 0, p:describe())
	return path
end

-- The newest change of a file, or of what is in a folder.
local function changed_at(path)
	local stat = assert(uv.fs_stat(path), path)
	local newest = stat.mtime.sec
	if stat.type ~= "directory" then return newest end
	for name in uv.fs_scandir_next, uv.fs_scandir(path) do
		newest = math.max(newest, changed_at(path .. "/" .. name))
	end
	return newest
end

-- The same of all that an image is made of.
local function newest_part(what)
	local newest = changed_at(paths.root .. "/lua/gridcentric")
	local function look_at(path) newest = math.max(newest, changed_at(path)) end
	look_at(paths.agent)
	look_at(paths.core)
	for _, path in pairs(what.files or { what.app }) do look_at(path) end
	return newest
end

-- Differs where images do.
local function checksum(what)
	local words = { what.app or "", what.program or "" }
	for _, kind in ipairs { "files", "hooks" } do
		for key, value in pairs(what[kind] or {}) do words[#words + 1] = key .. "=" .. value end
	end
	table.sort(words)
	local text, sum = table.concat(words, "\n"), 0
	for i = 1, #text do sum = (sum * 31 + text:byte(i)) & 0xffffffff end
	return sum
end

-- Images are kept in the build folder, for other spec files and later runs: to build one takes as
-- long as to boot it.
function vm.image(t, name, what)
	if images[name] then return images[name] end
	local path = ("%s/spec/images/%08x/%s.img"):format(paths.build, checksum(what), name)
	local stat = uv.fs_stat(path)
	if not stat or stat.mtime.sec <= newest_part(what) then
		files.make_folder(path:match "^(.*)/")
		-- another spec file may build the same
		local part = build(t, ("%s.%d"):format(path, uv.os_getpid()), what)
		assert(uv.fs_rename(part, path))
	end
	images[name] = path
	return path
end

function vm.puppet_image(t)
	return vm.image(t, "puppet", {
		files = {
			["puppet.lua"] = paths.scripts .. "/puppet.lua",
			["clone.lua"] = paths.examples .. "/guest/clone.lua",
			["bin/clone-example"] = paths.build .. "/bin/clone-example",
			["lib/libgridcentric.so.0"] = paths.libgridcentric,
		},
		program = ("lua5.4 puppet.lua 0.0.0.0:%d"):format(PUPPET_PORT),
	})
end

-- ---- machines ----------------------------------------------------------------

local Machine = {}
Machine.__index = Machine
Machine.__name = "spec machine"

function vm.of(t, process, name)
	return setmetatable({ t = t, process = process, name = name }, Machine)
end

function vm.boot(t, image, options)
	options = options or {}
	local name = options.name or image:match "([^/]*)%.img$"
	local command = table.move(options.wrap or {}, 1, 9, 1, {})
	for _, word in ipairs {
		paths.gcscale, "run-image", image, "--port", tostring(options.port or PUPPET_PORT),
		"--accel", "tcg", "--memory", options.memory or "128M", "--name", name,
	} do
		command[#command + 1] = word
	end
	command.env = options.env
	local self = vm.of(t, t.spawn(command), name)
	self.process:line(" is ready after ", BOOT_MS)
	return self
end

function Machine:status()
	local p = self.t.spawn { paths.gcscale, "status", "--json", "--name", self.name }
	assert(p:wait() == 0, p:describe())
	return json.decode(p.stdout)[1]
end

function Machine:domains()
	local found = {}
	for _, domain in ipairs(self:status().domains) do
		local _, where = next(domain.endpoints)
		domain.ip, domain.port = (where or ""):match "^(.*):(%d+)$"
		found[domain.vmid] = domain
	end
	return found
end

function Machine:puppet(vmid)
	local domain = assert(self:domains()[vmid], "no such domain")
	local found = puppet.at(self.t, domain.ip, domain.port)
	found.vmid, found.pid = vmid, domain.pid
	return found
end

-- Code of a puppet: n clones of it; keeps what clone() gave, everywhere.
local CLONE = [[
	kept.cloned = nil
	local ticket = assert(gc.request_ticket(%d, %d, 1, 10000))
	kept.ticket = ticket
	kept.cloned = table.pack(gc.clone(ticket))
	if kept.cloned[1] > 0 and kept.in_clone then kept.in_clone() end
	return kept.cloned[1], kept.cloned[2], kept.cloned[3], kept.cloned[4]
]]

function Machine:clone(from, n)
	n = n or 1
	local vmid, err, code, vmids = from:eval(CLONE:format(n, n), CLONE_MS)
	assert(vmid == 0 and not err, ("%s %s"):format(code, err))
	local clones = {}
	table.sort(vmids)
	for i, number in ipairs(vmids) do clones[i] = self:puppet(number) end
	return table.unpack(clones)
end

function Machine:events(what)
	local p, found = self.t.spawn { paths.engine, "--print", "events" }, {}
	assert(p:wait() == 0, p:describe())
	for _, event in ipairs(json.decode(p.stdout)) do
		if event.what == what then found[#found + 1] = event end
	end
	return found
end

-- ---- what is left -------------------------------------------------------------

function vm.machines(t)
	local found = {}
	for _, stat in ipairs(procfs.marked(t.mark)) do
		if stat.command:find("^" .. QEMU:gsub("%p", "%%%0") .. " ") and stat.state ~= "Z" then
			found[#found + 1] = stat
		end
	end
	return found
end

local function names_in(folder, found)
	local names = uv.fs_scandir(folder)
	for name in uv.fs_scandir_next, names do found[#found + 1] = folder .. "/" .. name end
	return found
end

-- The ledger and the lock of who shares the machine stay: they are the user's, not an engine's. A
-- browser may be at work in another spec file.
function vm.files(t)
	local found = {}
	for _, path in ipairs(names_in(t.state, names_in("/dev/shm", {}))) do
		local name = path:match "[^/]*$"
		local is_other = name:find "^ledger%." or name == "capacity.lock" or name:find "org%.chromium"
		if not is_other then found[#found + 1] = path end
	end
	table.sort(found)
	return found
end

-- The engine gives QEMU nothing of its environment, by which a run's processes are known: so they
-- are started by a script that says whose they are. It is read by another user than this one.
local function mark_machines(t)
	local folder = assert(uv.fs_mkdtemp "/tmp/gc-XXXXXX")
	local script = folder .. "/qemu"
	files.write(script, ("#!/bin/sh\nGRIDCENTRIC_SPEC=%s exec %s \"$@\"\n"):format(t.mark, QEMU),
		tonumber("755", 8))
	assert(uv.fs_chmod(folder, tonumber("755", 8)))
	uv.os_setenv("GRIDCENTRIC_QEMU", script)
	t.defer(function()
		uv.os_unsetenv "GRIDCENTRIC_QEMU"
		tmp.remove(folder)
	end)
end

function vm.run(body, options)
	async.run(function(t)
		mark_machines(t)
		local before = vm.files(t)
		body(t)
		t.wait_until(function() return #vm.machines(t) == 0 end, nil, "the end of all machines")
		assert.same(before, vm.files(t))
	end, { timeout_ms = options and options.timeout_ms or RUN_MS })
end

return vm
