-- The external tools that build images, and their Debian packages.

local failure = require "gridcentric.image.failure"
local uv = require "luv"

local tools = {}

-- Which Debian package a tool is in.
local PACKAGES = {
	["apt-cache"] = "apt", ["apt-get"] = "apt", ["dpkg-deb"] = "dpkg",
	busybox = "busybox-static", cpio = "cpio", gzip = "gzip", ldd = "libc-bin",
	["lua5.4"] = "lua5.4", mcopy = "mtools", mformat = "mtools", mke2fs = "e2fsprogs",
	["qemu-img"] = "qemu-utils", sfdisk = "fdisk", sha256sum = "coreutils", syslinux = "syslinux",
	tar = "tar", unshare = "util-linux", xz = "xz-utils", zstd = "zstd",
}

-- Searched after the user's PATH, which often lacks them for users other than root.
local SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"

---The user's PATH, followed by the system's folders.
---@return string
function tools.search_path()
	local path = os.getenv "PATH"
	return path and path ~= "" and path .. ":" .. SYSTEM_PATH or SYSTEM_PATH
end

---@param name string
---@return string? path
function tools.find(name)
	for folder in tools.search_path():gmatch "[^:]+" do
		local path = folder .. "/" .. name
		local stat = uv.fs_stat(path)
		if stat and stat.type == "file" and uv.fs_access(path, "X") then return path end
	end
end

---Raises if tools are missing, and names all of them with their packages.
---@param ... string
function tools.demand(...)
	local missing, packages = {}, {}
	for _, name in ipairs { ... } do
		if not tools.find(name) then
			missing[#missing + 1] = name
			if not packages[PACKAGES[name]] then
				packages[#packages + 1] = PACKAGES[name]
				packages[PACKAGES[name]] = true
			end
		end
	end
	if #missing == 0 then return end
	failure.raise("not found: %s; what it needs: apt-get install %s", table.concat(missing, ", "),
		table.concat(packages, " "))
end

return tools
