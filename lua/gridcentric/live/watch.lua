-- Reports when a file has changed, however an editor saves it: written in place, or replaced by
-- another file of that name. Therefore its folder is watched, and the file is looked at when
-- anything happens there.

local close_handle = require "gridcentric.util.close"
local uv = require "luv"

local watch = {}

local QUIET_MS = 100 -- after the last change: an editor may save in several steps

-- A text that differs between two states of a file; nil while there is no file.
local function fingerprint(path)
	local stat = uv.fs_stat(path)
	if not stat then return nil end
	return ("%d %d %d.%09d"):format(stat.ino, stat.size, stat.mtime.sec, stat.mtime.nsec)
end

local function folder_of(path)
	local folder = path:match "^(.*)/[^/]*$" or "."
	return folder ~= "" and folder or "/"
end

---@param path string
---@param on_change fun() called when the file has changed and then rested for a moment
---@return (fun())? close ends the watch
---@return string? err
---@return string? code
function watch.file(path, on_change)
	local last = fingerprint(path)
	local events, timer = uv.new_fs_event(), uv.new_timer()
	local function look()
		local now = fingerprint(path)
		if not now or now == last then return end -- a missing file is about to be replaced
		last = now
		on_change()
	end
	local function close()
		events:stop()
		timer:stop()
		close_handle(events)
		close_handle(timer)
	end
	local ok, err, code = events:start(folder_of(path), {}, function()
		timer:start(QUIET_MS, 0, look)
	end)
	if ok then return close end
	close()
	return nil, err, code
end

return watch
