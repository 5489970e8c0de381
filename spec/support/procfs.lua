-- What /proc tells about processes and descriptors.

local uv = require "luv"

local procfs = {}

local function read(path)
	local file = io.open(path, "rb")
	if not file then return nil end
	local text = file:read("a")
	file:close()
	return text
end

local function names_in(folder)
	local request = uv.fs_scandir(folder)
	return function()
		if request then return (uv.fs_scandir_next(request)) end
	end
end

---@return fun(): integer? iterator over all process ids
local function pids()
	local names = names_in("/proc")
	return function()
		for name in names do
			local pid = math.tointeger(tonumber(name))
			if pid then return pid end
		end
	end
end

---@param pid integer
---@return {pid: integer, command: string, state: string, ppid: integer, pgrp: integer}?
---nil when it is gone; state is a letter as in ps ("Z": ended, not yet waited for)
function procfs.stat(pid)
	local text = read(("/proc/%d/stat"):format(pid))
	if not text then return nil end
	local name, state, ppid, pgrp = text:match("%((.*)%) (%a) (%d+) (%d+)")
	if not name then return nil end -- it went between open and read
	local command = (read(("/proc/%d/cmdline"):format(pid)) or ""):gsub("%z", " ")
	return {
		pid = pid,
		command = command ~= "" and command or "(" .. name .. ")",
		state = state,
		ppid = math.tointeger(tonumber(ppid)),
		pgrp = math.tointeger(tonumber(pgrp)),
	}
end

---@param pid integer
---@return boolean # false also for one that only waits to be waited for
function procfs.alive(pid)
	local stat = procfs.stat(pid)
	return stat ~= nil and stat.state ~= "Z" and stat.state ~= "X"
end

local function selected(wanted)
	local found = {}
	for pid in pids() do
		local stat = wanted(pid) and procfs.stat(pid)
		if stat then found[#found + 1] = stat end
	end
	return found
end

---The processes, this one not among them, that carry a mark in their environment:
---children, their children and clones inherit it, whatever their parent became.
---@param mark string value of GRIDCENTRIC_SPEC; "a.b" also finds "a.b.c"
---@return table[] # as procfs.stat gives them
function procfs.marked(mark)
	local line = "\0GRIDCENTRIC_SPEC=" .. mark
	local self = uv.os_getpid()
	return selected(function(pid)
		local environ = pid ~= self and read(("/proc/%d/environ"):format(pid))
		if not environ then return false end
		environ = "\0" .. environ .. "\0"
		return environ:find(line .. "\0", 1, true) or environ:find(line .. ".", 1, true)
	end)
end

---@param parent integer
---@return table[] # the children of a process, also those that ended but were not waited for
function procfs.children(parent)
	return selected(function(pid)
		local stat = procfs.stat(pid)
		return stat and stat.ppid == parent
	end)
end

---@param pid integer|"self"
---@return table<integer, string> # descriptor -> what it refers to
function procfs.descriptors(pid)
	local found = {}
	local folder = ("/proc/%s/fd"):format(pid)
	for name in names_in(folder) do
		local target = uv.fs_readlink(folder .. "/" .. name)
		if target then found[math.tointeger(tonumber(name))] = target end
	end
	return found
end

return procfs
