-- The archives of an image: the initramfs with the guest's files, and the file that holds this and
-- the kernel.

local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"
local json = require "dkjson"
local uv = require "luv"

local archive = {}

-- The names of all members, each folder before its contents.
local function write_list(root, path)
	local names = { ".\0" } -- for its mode
	files.walk(root, function(name) names[#names + 1] = name .. "\0" end)
	files.write(path, table.concat(names))
end

---Packs a folder as an initramfs (cpio, newc), owned by root. Raises.
---@param job gridcentric.ImageJob
---@param root string
---@param path string of the archive
function archive.initrd(job, root, path)
	local list = path .. ".list"
	write_list(root, list)
	local stdin = failure.check(uv.fs_open(list, "r", 0))
	local _ <close> = setmetatable({}, { __close = function() uv.fs_close(stdin) end })
	job:run { "cpio", "--create", "--format=newc", "--null", "--owner=+0:+0", "--reproducible",
		"--quiet", "--file=" .. path, cwd = root, stdin = stdin }
end

---Packs the files `kernel` and `initrd` of a folder. Raises.
---@param job gridcentric.ImageJob
---@param folder string
---@param about { version: integer, kernel: string, program: string[] }
---@param path string of the archive
function archive.image(job, folder, about, path)
	files.write(folder .. "/gridcentric-image", json.encode(about,
		{ keyorder = { "version", "kernel", "program" } }) .. "\n")
	job:run { "tar", "--create", "--format=ustar", "--owner=root:0", "--group=root:0", "--mode=0644",
		"--file=" .. path, "--force-local", "--directory=" .. folder,
		"gridcentric-image", "kernel", "initrd" }
end

return archive
