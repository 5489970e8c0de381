-- Copies the files of a guest into a folder.
--
--	/bin/busybox, and links to it    the shell and the rest of a small Unix; init is one of them
--	/usr/bin/lua5.4                  with luv, LPeg, dkjson, argparse
--	/usr/share/lua/5.4/gridcentric   this project's modules; core.so below /usr/lib/lua/5.4
--	/usr/lib/gridcentric             the agent
--	/lib/modules, /lib64, /lib/...   the kernel's modules; the libraries that all this needs
--	/app                             the user's program
--	/etc/gridcentric                 the user's hooks; the list of modules to load

local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"
local libraries = require "gridcentric.image.libraries"
local modules = require "gridcentric.image.modules"
local rootfs = require "gridcentric.image.guest.rootfs"
local tools = require "gridcentric.image.tools"
local uv = require "luv"

local tree = {}

local LIBRARY_FOLDER = "/lib/x86_64-linux-gnu" -- where its loader looks on Debian
local LUA_FOLDER, C_FOLDER = "/usr/share/lua/5.4/", "/usr/lib/lua/5.4/"
local LUA_MODULES = { "dkjson", "argparse", "re" }
local C_MODULES = { "luv", "lpeg", "gridcentric.core" }
-- This project's modules that a guest does not need: it neither runs gcscale nor builds images.
local NOT_IN_GUEST = { cli = true, image = true, meta = true }
local NOT_OF_APP = { [".git"] = true }
local HOOKS = { ["pre-clone"] = true, ["post-clone"] = true }

local EXECUTABLE = tonumber("755", 8)

---@class gridcentric.ImageTree
---@field root string the folder
---@field private job gridcentric.ImageJob
---@field private elf string[] the originals of the programs and libraries in it
local Tree = {}
Tree.__index = Tree
Tree.__name = "gridcentric.ImageTree"

-- A file that may need libraries.
function Tree:add(from, target, mode)
	files.copy(from, self.root .. target, mode)
	if libraries.is_elf(from) then self.elf[#self.elf + 1] = from end
end

-- Copies the contents of a folder; links stay links. skip(path, kind) is true for what is left out.
function Tree:add_folder(from, target, skip)
	files.walk(from, function(path, kind)
		local source, copy = from .. "/" .. path, self.root .. target .. "/" .. path
		if skip(path, kind) then return false end
		if kind == "directory" then
			files.make_folder(copy)
		elseif kind == "link" then
			files.link(failure.check(uv.fs_readlink(source)), copy)
		elseif kind == "file" then
			self:add(source, target .. "/" .. path)
		end -- sockets and the like are of a program that runs
	end)
end

function Tree:add_skeleton()
	for _, folder in ipairs(rootfs.FOLDERS) do files.make_folder(self.root .. "/" .. folder) end
	files.make_folder(self.root .. "/etc/init.d")
	for path, text in pairs(rootfs.FILES) do files.write(self.root .. "/" .. path, text) end
	files.write(self.root .. "/etc/init.d/rc", rootfs.RC, EXECUTABLE)
end

function Tree:add_busybox()
	self:add(tools.find "busybox", "/bin/busybox", EXECUTABLE)
	for path in self.job:run { "busybox", "--list-full" }:gmatch "%S+" do
		local link = self.root .. "/" .. path
		if not files.kind(link) then files.link("/bin/busybox", link) end
	end
	files.link("/bin/busybox", self.root .. "/init") -- what the kernel starts in memory
end

-- The path at which this process finds a module.
local function find_module(name, path)
	local found, err = package.searchpath(name, path)
	if not found then failure.raise("the Lua module %s is missing%s", name, err:gsub("\n%s*", " ")) end
	return found
end

function Tree:add_lua()
	self:add(tools.find "lua5.4", "/usr/bin/lua5.4", EXECUTABLE)
	for _, name in ipairs(LUA_MODULES) do
		self:add(find_module(name, package.path), LUA_FOLDER .. name .. ".lua")
	end
	for _, name in ipairs(C_MODULES) do
		local path = find_module(name, package.cpath)
		self:add(path, C_FOLDER .. name:gsub("%.", "/") .. ".so", EXECUTABLE)
	end
	local ours = find_module("gridcentric.init", package.path):match "^(.*)/init%.lua$"
	self:add_folder(ours, LUA_FOLDER .. "gridcentric", function(path)
		return NOT_IN_GUEST[path]
	end)
end

-- The agent, which is beside core.so.
function Tree:add_agent()
	local core = find_module("gridcentric.core", package.cpath)
	local agent = core:gsub("[^/]*$", "") .. "gridcentric-agent"
	if not files.is_file(agent) then
		failure.raise("%s: not there; it is built and installed with the rest (make)", agent)
	end
	self:add(agent, "/usr/lib/gridcentric/gridcentric-agent", EXECUTABLE)
end

-- skipped: real paths that are left out, since the image may be built in the program's own folder.
function Tree:add_app(folder, skipped)
	local real = failure.check(uv.fs_realpath(folder))
	self:add_folder(real, "/app", function(path)
		return NOT_OF_APP[path] or skipped[real .. "/" .. path]
	end)
end

function Tree:add_hooks(folder)
	local count = 0
	for _, name in ipairs(files.names(folder)) do
		if HOOKS[name] then
			self:add(folder .. "/" .. name, "/etc/gridcentric/" .. name, EXECUTABLE)
			count = count + 1
		end
	end
	if count == 0 then failure.raise("%s: holds neither pre-clone nor post-clone", folder) end
end

local function quote(words)
	local quoted = {}
	for i, word in ipairs(words) do quoted[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
	return table.concat(quoted, " ")
end

-- The path of a command in the guest, as a shell in /app finds it; nil if there is none.
function Tree:find_command(name)
	if name:find "^/" then return files.is_there(self.root .. name) and name end
	if name:find "/" then return files.is_there(self.root .. "/app/" .. name) and "/app/" .. name end
	for _, folder in ipairs { "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/" } do
		if files.is_there(self.root .. folder .. name) then return folder .. name end
	end
end

-- Checks what can be known of a command before the guest runs it: that its program exists.
function Tree:add_program(words)
	local name, script = words[1], words[2]
	local path = self:find_command(name)
	if not path then
		failure.raise("the program %s is not in the image, which has lua5.4, busybox and what is "
			.. "in --app", name)
	end
	if files.is_file(self.root .. path) and not uv.fs_access(self.root .. path, "X") then
		failure.raise("the program %s is not executable", name)
	end
	local is_script = name == "lua5.4" and script and script:find "^[^-/]"
	if is_script and not self:find_command("./" .. script) then
		failure.raise("the program's %s is not in --app", script)
	end
	files.write(self.root .. "/etc/init.d/program", rootfs.PROGRAM:format(quote(words)), EXECUTABLE)
end

-- Copies libraries into one folder, where the guest's loader finds them without a cache, and the
-- loader to its own path.
function Tree:add_libraries()
	for name, path in pairs(libraries.of(self.job, self.elf)) do
		local target = name:sub(1, 1) == "/" and name or LIBRARY_FOLDER .. "/" .. name
		files.copy(path, self.root .. target, EXECUTABLE)
	end
end

---@class gridcentric.ImageContent what goes into a guest
---@field app string folder
---@field words string[] the program, and its arguments
---@field hooks string? folder
---@field skipped table<string, boolean> real paths in the program's folder that stay out

---Copies everything except the kernel's parts into a new folder. Raises.
---@param job gridcentric.ImageJob
---@param content gridcentric.ImageContent
---@param root string
function tree.stage(job, content, root)
	local self = setmetatable({ root = root, job = job, elf = {} }, Tree)
	files.make_folder(root)
	self:add_skeleton()
	self:add_busybox()
	self:add_lua()
	self:add_agent()
	self:add_app(content.app, content.skipped)
	if content.hooks then self:add_hooks(content.hooks) end
	self:add_program(content.words)
	self:add_libraries()
	for _, path in ipairs { "tmp", "var/tmp" } do
		failure.check(uv.fs_chmod(root .. "/" .. path, tonumber("1777", 8)))
	end
end

---Copies the kernel's modules into the folder of a guest. Raises.
---@param job gridcentric.ImageJob
---@param kernel gridcentric.ImageKernel
---@param root string
function tree.stage_modules(job, kernel, root)
	files.write(root .. "/etc/gridcentric/modules",
		modules.install(job, kernel, root, modules.GUEST, modules.OPTIONAL))
end

---Copies the small system that finds the disk into a new folder. Raises.
---@param job gridcentric.ImageJob
---@param kernel gridcentric.ImageKernel
---@param root string
function tree.stage_initrd(job, kernel, root)
	local self = setmetatable({ root = root, job = job, elf = {} }, Tree)
	for _, folder in ipairs { "dev", "proc", "root" } do files.make_folder(root .. "/" .. folder) end
	self:add(tools.find "busybox", "/bin/busybox", EXECUTABLE)
	for _, name in ipairs {
		"cat", "insmod", "mount", "poweroff", "sh", "switch_root", "umount", "usleep",
	} do
		files.link("busybox", root .. "/bin/" .. name)
	end
	self:add_libraries()
	files.write(root .. "/init", rootfs.INITRD, EXECUTABLE)
	files.write(root .. "/modules", modules.install(job, kernel, root, modules.DISK))
end

return tree
