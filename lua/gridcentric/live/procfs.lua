-- What the kernel knows of a process: processor time and private memory. Blocks, for as long as the
-- kernel takes: 7 us for the time, for the memory 10 us and as much again for each MB that the
-- process has in memory, since the kernel walks over all pages.

local procfs = {}

local TICKS_PER_S = 100 -- USER_HZ, the same on all of Linux

local function read(pid, name)
	local file = io.open(("/proc/%d/%s"):format(pid, name))
	if not file then return nil end
	local text = file:read "a"
	file:close()
	return text
end

---@param pid integer
---@return number? seconds of processor time, of all threads; nil if there is no such process
function procfs.cpu_time(pid)
	local text = read(pid, "stat")
	if not text then return nil end
	-- The name, in brackets, may hold anything. Behind it: state, 10 numbers, utime, stime.
	local user, system = text:match("^.*%) %a" .. (" %-?%d+"):rep(10) .. " (%d+) (%d+)")
	return (tonumber(user) + tonumber(system)) / TICKS_PER_S
end

---What the process has in memory and shares with no other: its end would set free so much.
---@param pid integer
---@return integer? bytes
function procfs.private_memory(pid)
	local text = read(pid, "smaps_rollup") -- nil for a process that is ending
	if not text then return nil end
	local sum = 0
	for kilobytes in text:gmatch "\nPrivate_%a+: +(%d+) kB" do sum = sum + tonumber(kilobytes) end
	return sum * 1024
end

return procfs
