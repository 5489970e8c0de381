-- gcscale events --follow: shows events as they come.
--
-- The ledger is asked when its file has changed, which inotify reports, and never twice at a time.
-- It has the events of all engines: those that are running, have ended, or are still to come. Once
-- a second a look at the file finds what inotify cannot: a state folder that was made, or replaced.
--
-- SQLite writes a row into the file first, and makes it visible in shared memory once the disk has
-- it, which no file tells. So after the last change the ledger is asked again, a little later.

local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local history = require "gridcentric.cli.history"
local json = require "gridcentric.util.json"
local uv = require "luv"

local LOOK_MS = 1000
local RECHECKS = 2 -- queries after the last change, one at each look
local FILES = { "ledger.db", "ledger.db-wal" } -- SQLite writes to the second one first

---@class gridcentric.Follow
---@field args { name: string?, limit: integer, json: boolean? }
---@field width integer? of the terminal
---@field after integer? id of the last event that was shown
---@field seen string? the state of the files before the last query
---@field dir string? the state folder, as far as it is known
---@field is_asking boolean?
---@field rechecks integer queries that are still due though nothing changes
---@field watcher userdata
---@field watched string? inode of the folder that the watcher has
---@field status integer? to exit with

-- What tells one state of the files from another.
local function fingerprint(dir)
	local parts = {}
	for i, name in ipairs(FILES) do
		local stat = uv.fs_stat(dir .. "/" .. name)
		parts[i] = stat and ("%d %d %d.%09d"):format(stat.ino, stat.size, stat.mtime.sec, stat.mtime.nsec)
			or "-"
	end
	return table.concat(parts, " ")
end

local function finish(self, status, err)
	self.status = exit.fail(status, err)
	uv.stop()
end

-- False if nobody reads any more.
local function write_events(self, events)
	for _, event in ipairs(events) do
		local line = self.args.json and json.encode(event) or history.line(event, self.width)
		if not io.stdout:write(line, "\n") then return false end
	end
	return io.stdout:flush() ~= nil
end

local look

local function on_answer(self, text, err)
	self.is_asking = false
	local events, wrong
	if text then events, wrong = engine_program.read_rows(text) end
	if not events then return finish(self, exit.FAILED, err or wrong) end
	if not write_events(self, events) then return finish(self, exit.OK) end
	if #events > 0 then self.after = math.tointeger(events[#events].id) end
	look(self) -- what has changed meanwhile
end

local function ask(self)
	self.is_asking = true
	local filter = { name = self.args.name, after = self.after }
	if not self.after then filter.limit = self.args.limit end
	engine_program.start("events", filter, function(...) on_answer(self, ...) end)
end

-- Asks if the ledger has changed. The fingerprint is older than the answer, so nothing is missed.
function look(self)
	if self.is_asking or self.status then return end
	local now = fingerprint(self.dir)
	if now == self.seen then return end
	self.seen, self.rechecks = now, RECHECKS
	ask(self)
end

local function watch(self)
	local stat = uv.fs_stat(self.dir)
	local inode = stat and ("%d %d"):format(stat.dev, stat.ino)
	if inode == self.watched then return end
	self.watcher:stop()
	self.watched = inode
	if inode then self.watcher:start(self.dir, {}, function() look(self) end) end
end

-- The folder is known once it exists: which one it is depends on what exists.
local function find_folder(self)
	if self.is_asking then return end
	self.is_asking = true
	engine_program.start("state", {}, function(text, err)
		self.is_asking = false
		if not text then return finish(self, exit.FAILED, err) end
		local dir = text:gsub("\n$", "")
		if dir == "" then return end
		self.dir = dir
		watch(self)
		look(self)
	end)
end

---@param args { name: string?, limit: integer, json: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	local self = { args = args, width = terminal.width, watcher = uv.new_fs_event(), rechecks = 0 }
	local function turn()
		if not self.dir then return find_folder(self) end
		watch(self)
		look(self)
		if self.rechecks > 0 and not self.is_asking then
			self.rechecks = self.rechecks - 1
			ask(self)
		end
	end
	uv.new_timer():start(LOOK_MS, LOOK_MS, turn)
	turn()
	if not self.status then uv.run() end
	return self.status
end
