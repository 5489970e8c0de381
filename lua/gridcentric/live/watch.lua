-- Tells when a file has changed, however an editor saves it: written in place, or replaced by
-- another of that name. So its folder is watched, and the file looked at when anything happens
-- there.

local uv = require "luv"

local watch = {}

local QUIET_MS = 100 -- after the last change: an editor may save in several steps

-- What tells one state of a file from another; nil while there is none.
local function fingerprint(path)
	local stat = uv.fs_stat(path)
	if not stat then return nil end
	return ("%d %d %d.%09d"):format(stat.ino, stat.size, stat.mtime.sec, stat.mtime.nsec)
end

---@param path string
---@param on_change fun() called once things are quiet
---@return (fun())? close ends it
---@return string? err
function watch.file(path, on_change)
	local seen = fingerprint(path)
	local events, timer = uv.new_fs_event(), uv.new_timer()
	local function look()
		local now = fingerprint(path)
		if not now or now == seen then return end -- one that is gone is about to be replaced
		seen = now
		on_change()
	end
	local folder = path:match "^(.*)/[^/]*$" or "."
	local ok, err = events:start(folder ~= "" and folder or "/", {}, function()
		timer:start(QUIET_MS, 0, look)
	end)
	local function close()
		events:close()
		timer:close()
	end
	if ok then return close end
	close()
	return nil, err
end

return watch
