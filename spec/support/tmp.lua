-- Temporary folders.

local uv = require "luv"

local tmp = {}

---@return string # an absolute path, short enough for sockets in it; mode 0700
function tmp.new()
	return assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/gc-XXXXXX"))
end

---Removes a file, or a folder and what is in it; links are not followed.
---@param path string
function tmp.remove(path)
	local stat = uv.fs_lstat(path)
	if not stat then return end
	if stat.type ~= "directory" then
		assert(uv.fs_unlink(path))
		return
	end
	uv.fs_chmod(path, 448) -- 0700: a spec may have taken the rights away
	local names = assert(uv.fs_scandir(path))
	for name in uv.fs_scandir_next, names do tmp.remove(path .. "/" .. name) end
	assert(uv.fs_rmdir(path))
end

return tmp
