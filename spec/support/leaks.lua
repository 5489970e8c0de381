-- What a spec may not leave behind: luv handles, descriptors, processes.

local uv = require "luv"
local procfs = require "spec.support.procfs"

local leaks = {}

local warm = false

-- Some things libuv makes once, at first use, and keeps.
local function warm_up()
	if warm then return end
	warm = true
	local signal, watch = uv.new_signal(), uv.new_fs_event()
	signal:start("sigchld", function() end)
	watch:start("/proc", {}, function() end)
	signal:close()
	watch:close()
	uv.new_tcp():close() -- with the first stream comes a spare descriptor
	local child
	child = uv.spawn("true", {}, function() child:close() end)
	uv.fs_stat("/", function() end)
	uv.run()
end

local function handles()
	local found = {}
	uv.walk(function(handle) found[handle] = true end)
	return found
end

---What is there now.
function leaks.snapshot()
	warm_up()
	local children = {}
	for _, stat in ipairs(procfs.children(uv.os_getpid())) do children[stat.pid] = true end
	return { handles = handles(), descriptors = procfs.descriptors("self"), children = children }
end

-- Runs the loop until nothing is left that was closed, at most a thousand turns.
local function settle()
	for _ = 1, 1000 do
		local closing = false
		uv.walk(function(handle) closing = closing or handle:is_closing() end)
		if not closing then return end
		uv.run("nowait")
	end
end

---Luv handles that are open and were not there before. They get closed.
---@return string[] texts
function leaks.handles(before)
	settle()
	local texts = {}
	for handle in pairs(handles()) do
		if not before.handles[handle] and not handle:is_closing() then
			texts[#texts + 1] = "luv handle left open: " .. tostring(handle)
				.. (handle:is_active() and ", active" or ", not active")
			handle:close()
		end
	end
	settle()
	return texts
end

---Descriptors that are open and were not, or are something else than before.
---Objects that nobody refers to are collected first.
---@return string[] texts
function leaks.descriptors(before)
	collectgarbage()
	collectgarbage()
	local texts = {}
	for fd, target in pairs(procfs.descriptors("self")) do
		if before.descriptors[fd] ~= target then
			texts[#texts + 1] = ("descriptor left open: %d (%s)"):format(fd, target)
		end
	end
	return texts
end

---Processes that carry the mark, and children of this process.
---@return table[] # as procfs.stat gives them
function leaks.processes(before, mark)
	local found = procfs.marked(mark)
	local known = {}
	for _, stat in ipairs(found) do known[stat.pid] = true end
	for _, stat in ipairs(procfs.children(uv.os_getpid())) do
		if not known[stat.pid] and not before.children[stat.pid] then found[#found + 1] = stat end
	end
	return found
end

---Kills every process that carries the mark or is a new child, by its number,
---until none is left.
function leaks.kill_all(before, mark)
	for _ = 1, 1000 do
		local alive = 0
		for _, stat in ipairs(leaks.processes(before, mark)) do
			if stat.state ~= "Z" then
				alive = alive + 1
				uv.kill(stat.pid, "sigkill")
			end
		end
		uv.run("nowait")
		if alive == 0 then return end
		uv.sleep(2)
	end
end

return leaks
