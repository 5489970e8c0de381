-- Builds an image: a file from which a virtual machine with the user's program boots.
--
--	build.start({ output = "chat.img", app = "examples/chat" }, progress, function(made, err) end)
--
-- An image has one of two forms. By default it is a tar of `gridcentric-image` (a description as
-- JSON), `kernel` and `initrd`, which boot without a disk. Otherwise it is a disk that boots by
-- itself.
--
-- Everything is made in a temporary folder, and beside the output as FILE.part, which is renamed to
-- FILE at the end. A build that fails or is stopped leaves nothing behind, and keeps an old FILE.

local archive = require "gridcentric.image.archive"
local disk = require "gridcentric.image.disk"
local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"
local job = require "gridcentric.image.job"
local kernel = require "gridcentric.image.kernel"
local options = require "gridcentric.util.options"
local split = require "gridcentric.image.words"
local tools = require "gridcentric.image.tools"
local tree = require "gridcentric.image.tree"
local types = require "gridcentric.util.types"
local uv = require "luv"

local build = {}

local VERSION = 1 -- of what a reader of the image has to know
local DEFAULT_PROGRAM, DEFAULT_SCRIPT = "lua5.4 server.lua", "server.lua"
local path_type = types.text("^[^%z]+$", "a path")

---@class gridcentric.ImageOptions
---@field output string
---@field app string the program's folder
---@field program? string its command, in that folder; "lua5.4 server.lua" where that is there
---@field disk? boolean a disk that boots by itself
---@field size? integer the disk's, in bytes
---@field kernel? string a Debian package of a kernel, or a kernel
---@field hooks? string folder with pre-clone and post-clone
local SCHEMA = options.schema {
	{ "output", path_type, required = true },
	{ "app", path_type, required = true },
	{ "program", types.text() },
	{ "disk", types.boolean, default = false },
	{ "size", types.integer(1), default = 1024 ^ 3 }, -- a file only as big as what is in it
	{ "kernel", path_type },
	{ "hooks", path_type },
}

---@class gridcentric.ImageMade
---@field bytes integer the image's size
---@field kernel string its version
---@field initrd_bytes integer? of what is read into memory
---@field program string[]

local function absolute(path)
	return path:sub(1, 1) == "/" and path or assert(uv.cwd()) .. "/" .. path
end

local function read_program(wanted)
	if wanted.program then
		local words, err = split(wanted.program)
		return words or failure.raise("--program: %s", err)
	end
	if files.is_file(wanted.app .. "/" .. DEFAULT_SCRIPT) then return (split(DEFAULT_PROGRAM)) end
	failure.raise('%s has no %s: say with --program what to run there, as --program "lua5.4 my.lua"',
		wanted.app, DEFAULT_SCRIPT)
end

local function check_paths(wanted)
	for _, key in ipairs { "app", "hooks" } do
		if wanted[key] and not files.is_folder(wanted[key]) then
			failure.raise("--%s: %s is no folder", key, wanted[key])
		end
	end
	if wanted.kernel and not files.is_file(wanted.kernel) then
		failure.raise("--kernel: %s is no file", wanted.kernel)
	end
	local folder = absolute(wanted.output):match "^(.*/)"
	if not files.is_folder(folder) then failure.raise("--output: there is no folder %s", folder) end
	if files.is_folder(wanted.output) then
		failure.raise("--output: %s is a folder", wanted.output)
	end
end

---The number of steps that progress is told of.
build.STEPS = 5

-- The guest's files and the kernel, in a folder: root/, kernel.
local function gather(self, wanted, content, folder)
	self.progress.step "the guest's files"
	tree.stage(self, content, folder .. "/root")
	self.progress.step "the kernel: looked up, and fetched if it is new"
	local path = wanted.kernel and absolute(wanted.kernel) or kernel.fetch(self)
	self.progress.step "the kernel: unpacked"
	local opened = kernel.open(self, path, folder .. "/package")
	files.copy(opened.image, folder .. "/kernel", tonumber("644", 8))
	tree.stage_modules(self, opened, folder .. "/root")
	return opened
end

local function make_memory(self, about, folder, part)
	self.progress.step "the files, packed"
	archive.initrd(self, folder .. "/root", folder .. "/initrd")
	self.progress.step "the image"
	archive.image(self, folder, about, part)
	return uv.fs_stat(folder .. "/initrd").size
end

local function make_disk(self, wanted, opened, folder, part)
	self.progress.step "the small system that finds the disk"
	tree.stage_initrd(self, opened, folder .. "/small")
	archive.initrd(self, folder .. "/small", folder .. "/initrd")
	self.progress.step "the disk"
	disk.build(self, { size = wanted.size, kernel = folder .. "/kernel",
		initrd = folder .. "/initrd", root = folder .. "/root" }, folder, part)
end

-- The real path of the image, and that of the unfinished one beside it.
local function output_paths(path)
	path = absolute(path)
	local folder = failure.check(uv.fs_realpath(path:match "^(.*/)"))
	path = folder:gsub("/$", "") .. "/" .. path:match "[^/]*$"
	return path, path .. ".part"
end

local function remove_later(path)
	return setmetatable({}, { __close = function() uv.fs_unlink(path) end })
end

-- Checks for tools before any work. Unpackers are only needed if modules are packed.
local function demand_tools(wanted)
	local names = { "busybox", "lua5.4", "ldd", "cpio", "tar" }
	local function add(more) table.move(more, 1, #more, #names + 1, names) end
	add(kernel.TOOLS)
	if wanted.disk then add(disk.TOOLS) end
	tools.demand(table.unpack(names))
	if wanted.disk then disk.find_mbr() end
end

local function work(self, wanted)
	check_paths(wanted)
	demand_tools(wanted)
	local words = read_program(wanted)
	local output, part = output_paths(wanted.output)
	local temporary <close> = files.temporary(uv.os_tmpdir())
	local _ <close> = remove_later(part)
	local folder = temporary.path
	local opened = gather(self, wanted, { app = wanted.app, words = words, hooks = wanted.hooks,
		skipped = { [output] = true, [part] = true } }, folder)
	local about, initrd_bytes = { version = VERSION, kernel = opened.version, program = words }, nil
	if wanted.disk then
		make_disk(self, wanted, opened, folder, part)
	else
		initrd_bytes = make_memory(self, about, folder, part)
	end
	failure.check(uv.fs_rename(part, output))
	return { bytes = uv.fs_stat(output).size, kernel = about.kernel, initrd_bytes = initrd_bytes,
		program = words }
end

---Starts a build. Calls done(made), or done(nil, err), when it has ended, perhaps before this
---returns.
---@param given gridcentric.ImageOptions
---@param progress gridcentric.ImageProgress
---@param done fun(made: gridcentric.ImageMade?, err: string?)
---@return gridcentric.ImageJob # which can be stopped
function build.start(given, progress, done)
	local wanted = options.demand(SCHEMA, given, "build")
	return job.start(progress, function(self) return work(self, wanted) end, done)
end

return build
