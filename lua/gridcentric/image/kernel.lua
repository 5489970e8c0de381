-- The guest's kernel: Debian's newest cloud kernel, downloaded by apt but not installed, or a file
-- that the user names.
--
-- Packages are kept in ~/.cache/gridcentric, so the next build needs no network.

local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"
local uv = require "luv"

local kernel = {}

local META = "linux-image-cloud-amd64" -- depends on the newest one
local POLL_MS = 100 -- how often the growing file is looked at

kernel.TOOLS = { "apt-cache", "apt-get", "dpkg-deb", "sha256sum" }

---@class gridcentric.ImageKernel
---@field version string as in its file's name: "6.1.0-56-cloud-amd64"
---@field image string path of the bzImage
---@field modules string? folder with its modules, if it has any

local function cache_folder()
	local base = os.getenv "XDG_CACHE_HOME"
	if not base or base:sub(1, 1) ~= "/" then base = (uv.os_homedir() or "/root") .. "/.cache" end
	return base .. "/gridcentric"
end

-- The fields of a package by apt; nil if apt does not know it.
local function describe(job, name)
	local text = job:run { "apt-cache", "show", "--no-all-versions", name, max_status = 100 }
	local fields = {}
	for key, value in ("\n" .. text):gmatch "\n([%w-]+): ([^\n]*)" do
		fields[key] = fields[key] or value
	end
	return fields.Package and fields
end

local function newest(job)
	local meta = describe(job, META)
	local name = meta and meta.Depends and meta.Depends:match "linux%-image%-[%w.+-]+"
	return name and describe(job, name)
end

-- Whether the file is that package, complete.
local function is_package(job, path, package)
	if not files.is_file(path) then return false end
	local sum = job:run { "sha256sum", "--", path }
	return not package.SHA256 or sum:match "^\\?(%x+)" == package.SHA256
end

-- Reports how much of a download has arrived.
local function watch(job, folder, size)
	local timer = uv.new_timer()
	timer:start(POLL_MS, POLL_MS, function()
		local bytes = files.size(folder)
		if size and size > 0 then job.progress.part(math.min(bytes / size, 1)) end
	end)
	return setmetatable({}, { __close = function() timer:close() end })
end

local function download(job, package, path)
	local folder <close> = files.temporary(path:match "^(.*)/")
	local _ <close> = watch(job, folder.path, tonumber(package.Size))
	-- apt gives up root's rights otherwise, and cannot write into this folder
	local ok, err = pcall(job.run, job, { "apt-get", "-q", "-o", "APT::Sandbox::User=root",
		"download", package.Package .. "=" .. package.Version, cwd = folder.path })
	if not ok then
		failure.raise("the kernel cannot be fetched (apt-get update may help; or give one with "
			.. "--kernel): %s", err)
	end
	local name = files.names(folder.path)[1]
	if not name then failure.raise("apt-get download has left no file") end
	failure.check(uv.fs_rename(folder.path .. "/" .. name, path))
end

-- The package that was downloaded last.
local function last_cached(folder)
	local found, newest_s
	for _, name in ipairs(files.is_folder(folder) and files.names(folder) or {}) do
		local stat = name:find "^linux%-image%-.*%.deb$" and uv.fs_stat(folder .. "/" .. name)
		if stat and (not newest_s or stat.mtime.sec > newest_s) then
			found, newest_s = folder .. "/" .. name, stat.mtime.sec
		end
	end
	return found
end

---Returns the package with the newest kernel, and downloads it if need be. Raises.
---@param job gridcentric.ImageJob
---@return string path
function kernel.fetch(job)
	local folder = cache_folder()
	local package = newest(job)
	if not package then
		local cached = last_cached(folder)
		if cached then return cached end
		failure.raise("apt knows no package %s: run apt-get update as root, or give a kernel with "
			.. "--kernel", META)
	end
	local path = ("%s/%s_%s_%s.deb"):format(folder, package.Package,
		package.Version:gsub("[^%w.+~-]", "_"), package.Architecture or "amd64")
	if is_package(job, path, package) then return path end
	files.make_folder(folder)
	download(job, package, path)
	return path
end

-- /lib may be a link to /usr/lib, or not exist in a package.
local function modules_folder(root, version)
	for _, lib in ipairs { "/lib", "/usr/lib" } do
		local folder = root .. lib .. "/modules/" .. version
		if files.is_folder(folder) then return folder end
	end
end

local function unpack(job, package, folder)
	files.make_folder(folder)
	job:run { "dpkg-deb", "-x", package, folder }
	local boot = folder .. "/boot"
	for _, name in ipairs(files.is_folder(boot) and files.names(boot) or {}) do
		local version = name:match "^vmlinuz%-(.+)$"
		if version then
			return { version = version, image = boot .. "/" .. name,
				modules = modules_folder(folder, version) }
		end
	end
	failure.raise("%s: there is no kernel in this package", package)
end

-- The kernel's version. The header of a bzImage says where it is.
-- https://www.kernel.org/doc/html/latest/arch/x86/boot.html
local function read_version(path)
	local file <close> = failure.check(io.open(path, "rb"))
	local head = file:read(0x8000) or ""
	if #head < 0x210 or head:sub(0x203, 0x206) ~= "HdrS" then return nil end
	local at = ("<I2"):unpack(head, 0x20f) + 0x200
	return head:match("^([%w.+~_-]+)", at + 1)
end

-- A bzImage with the modules of the same tree: /boot/vmlinuz-1 belongs to /lib/modules/1.
local function of_file(path)
	local version = read_version(path)
	if not version then
		failure.raise("%s: neither a Debian package nor a kernel (bzImage)", path)
	end
	local root = path:match "^(.*)/boot/[^/]*$" or ""
	return { version = version, image = path,
		modules = modules_folder(root, version) or modules_folder("", version) }
end

---Opens a kernel. Raises.
---@param job gridcentric.ImageJob
---@param path string of a Debian package, or of a bzImage
---@param folder string where to unpack, new
---@return gridcentric.ImageKernel
function kernel.open(job, path, folder)
	local file <close> = failure.check(io.open(path, "rb"))
	if file:read(7) == "!<arch>" then return unpack(job, path, folder) end
	return of_file(failure.check(uv.fs_realpath(path)))
end

return kernel
