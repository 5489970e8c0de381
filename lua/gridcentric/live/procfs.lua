-- What the kernel knows of a process: processor time, private memory, and where it listens. All
-- block as long as the kernel takes: 7 us for the time; for the memory 10 us, and as much again for
-- each MB that the process has in memory, since the kernel walks over all pages.

local host_port = require "gridcentric.util.host_port"
local uv = require "luv"

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

---What the process has in memory and shares with no other, so what its end would free.
---@param pid integer
---@return integer? bytes
function procfs.private_memory(pid)
	local text = read(pid, "smaps_rollup") -- nil for a process that is ending
	if not text then return nil end
	local sum = 0
	for kilobytes in text:gmatch "\nPrivate_%a+: +(%d+) kB" do sum = sum + tonumber(kilobytes) end
	return sum * 1024
end

-- "0100007F" is 127.0.0.1: each word of 32 bits is in the machine's order of bytes.
local function show_host(hex)
	local bytes = {}
	for word in hex:gmatch "%x%x%x%x%x%x%x%x" do
		for byte in ("<I4"):pack(tonumber(word, 16)):gmatch "." do bytes[#bytes + 1] = byte:byte() end
	end
	if #bytes == 4 then return table.concat(bytes, ".") end
	local groups = {}
	for i = 1, 16, 2 do groups[#groups + 1] = ("%x"):format(bytes[i] << 8 | bytes[i + 1]) end
	local text = table.concat(groups, ":")
	return text == "0:0:0:0:0:0:0:0" and "::" or text == "0:0:0:0:0:0:0:1" and "::1" or text
end

local function socket_inodes(pid)
	local inodes = {}
	local folder = ("/proc/%d/fd"):format(pid)
	local entries = uv.fs_scandir(folder) -- nil for a process that is gone, or another user's
	if not entries then return inodes end
	for fd in uv.fs_scandir_next, entries do
		local link = uv.fs_readlink(folder .. "/" .. fd)
		local inode = link and link:match "^socket:%[(%d+)%]$"
		if inode then inodes[inode] = true end
	end
	return inodes
end

local LISTEN = "0A" -- the state, see tcp_states.h

---The addresses on which a process listens by TCP.
---@param pid integer
---@return gridcentric.Address[]
function procfs.listeners(pid)
	local found, inodes = {}, socket_inodes(pid)
	for _, name in ipairs { "net/tcp", "net/tcp6" } do
		for line in (read(pid, name) or ""):gmatch "[^\n]+" do
			local host, port, state, inode =
				line:match "^ *%d+: (%x+):(%x+) %x+:%x+ (%x%x) %S+ %S+ %S+ +%d+ +%d+ (%d+)"
			if state == LISTEN and inodes[inode] then
				found[#found + 1] = { host = show_host(host), port = tonumber(port, 16) }
			end
		end
	end
	return found
end

---The same in words.
---@param listeners gridcentric.Address[]
---@return string # "127.0.0.1:8000 and [::1]:8000"
function procfs.show_listeners(listeners)
	local shown = {}
	for i, address in ipairs(listeners) do shown[i] = host_port.show(address.host, address.port) end
	return table.concat(shown, " and ")
end

return procfs
