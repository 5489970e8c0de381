-- File operations for builds. All functions raise: see failure.lua.

local failure = require "gridcentric.image.failure"
local uv = require "luv"

local files = {}

local check = failure.check

---@param path string
---@return string
function files.read(path)
	local file <close> = check(io.open(path, "rb"))
	return (check(file:read "a"))
end

---@param path string
---@param text string
---@param mode? integer 0644
function files.write(path, text, mode)
	local file <close> = check(io.open(path, "wb"))
	check(file:write(text))
	check(file:flush())
	check(uv.fs_chmod(path, mode or tonumber("644", 8)))
end

---@param path string
---@return boolean # links are not followed: it may point to a place in the guest
function files.is_there(path)
	return uv.fs_lstat(path) ~= nil
end

---@param path string
---@return string? # "file", "directory", "link", ...; nil if there is nothing
function files.kind(path)
	local stat = uv.fs_lstat(path)
	return stat and stat.type
end

---@param path string
---@return boolean # links are followed
function files.is_file(path)
	local stat = uv.fs_stat(path)
	return stat ~= nil and stat.type == "file"
end

---@param path string
---@return boolean # links are followed
function files.is_folder(path)
	local stat = uv.fs_stat(path)
	return stat ~= nil and stat.type == "directory"
end

---The names in a folder, sorted.
---@param path string
---@return string[]
function files.names(path)
	local names = {}
	local request = check(uv.fs_scandir(path))
	for name in uv.fs_scandir_next, request do names[#names + 1] = name end
	table.sort(names)
	return names
end

---Makes a folder and those above it, readable by everyone whatever the umask.
---@param path string
function files.make_folder(path)
	if path == "" or files.is_folder(path) then return end
	files.make_folder(path:match "^(.*)/[^/]*$" or "")
	check(uv.fs_mkdir(path, tonumber("755", 8)))
	check(uv.fs_chmod(path, tonumber("755", 8)))
end

---@param from string
---@param to string its folder is made
---@param mode? integer the one of the original
function files.copy(from, to, mode)
	files.make_folder(to:match "^(.*)/[^/]*$" or "")
	check(uv.fs_copyfile(from, to))
	if mode then check(uv.fs_chmod(to, mode)) end
end

---@param target string
---@param path string its folder is made
function files.link(target, path)
	files.make_folder(path:match "^(.*)/[^/]*$" or "")
	check(uv.fs_symlink(target, path))
end

---Visits everything below a folder, each folder before its contents.
---@param root string
---@param visit fun(path: string, kind: string): boolean? path: below root; false: not into this one
function files.walk(root, visit)
	local function walk(folder)
		for _, name in ipairs(files.names(root .. "/" .. folder)) do
			local path = folder .. name
			local kind = files.kind(root .. "/" .. path)
			if kind and visit(path, kind) ~= false and kind == "directory" then walk(path .. "/") end
		end
	end
	walk ""
end

---The total size in bytes, and the number, of the files below a folder.
---@param root string
---@return integer bytes
---@return integer count of all that is there
function files.size(root)
	local bytes, count = 0, 0
	files.walk(root, function(path)
		local stat = uv.fs_lstat(root .. "/" .. path)
		bytes, count = bytes + (stat and stat.size or 0), count + 1
	end)
	return bytes, count
end

---Removes a file, or a folder with its contents, as far as possible. Does not follow links, and
---never raises.
---@param path string
function files.remove(path)
	if files.kind(path) ~= "directory" then
		uv.fs_unlink(path)
		return
	end
	uv.fs_chmod(path, tonumber("700", 8))
	local request = uv.fs_scandir(path)
	if request then
		for name in uv.fs_scandir_next, request do files.remove(path .. "/" .. name) end
	end
	uv.fs_rmdir(path)
end

---Makes a folder that only its owner may read. It is removed when the `<close>` variable that holds
---it goes out of scope.
---@param folder string where
---@return { path: string }
function files.temporary(folder)
	local path, err = uv.fs_mkdtemp(folder .. "/gcscale-image-XXXXXX")
	check(path, err)
	return setmetatable({ path = path }, { __close = function() files.remove(path) end })
end

return files
