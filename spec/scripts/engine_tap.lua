-- The network part of an engine in a process of its own, to be started in a network
-- namespace: runs each line of stdin as Lua, prints "=" and what it returned, or "!"
-- and the error. Ends with stdin, and leaves then what a killed engine leaves. For
-- the lines there is
--
--	claim()                   takes a block of addresses, gives its number
--	open(block)               gives the bridge's name, or nil, text, code
--	bridge(block)             the methods of engine_tap's bridges
--	tap(block, vmid)          gives id, name, MAC, address, gateway; or nil, text, code
--	send(block, id, frame)    as a QEMU on that tap
--	wait(block, id, pattern)  gives the captures from the next frame with that in it
--	flags(block, id)          of its descriptor: whether CLOEXEC, whether non-blocking
--	hold(block, id)           starts a process that has the tap; gives its pid
--	devices()                 names of all devices but lo, sorted
--	descriptors()             how many there are
--	ipv6(device)              whether the host speaks it there; nil: not known
--	foreign(name)             makes a bridge that is not the engine's

local uv = require "luv"
local engine_tap = require "gridcentric.engine_tap"
local engine_parts = require "gridcentric.engine_parts"
local procfs = require "spec.support.procfs"

local deadline_ms = 10000
local cores, bridges, fds = {}, {}, {}
local commands = { foreign = engine_tap.foreign }

function commands.claim()
	local core = engine_parts.new(function() end)
	cores[#cores + 1] = core -- holds the claim
	return core:addresses()
end

function commands.open(block)
	local bridge, text, code = engine_tap.open(block)
	if not bridge then return nil, text, code end
	bridges[block], fds[block] = bridge, {}
	return bridge:name()
end

function commands.bridge(block) return bridges[block] end

function commands.tap(block, vmid)
	local id, fd, tap = bridges[block]:tap(vmid)
	if not id then return nil, fd, tap end
	fds[block][id] = fd
	return id, tap.name, tap.mac, tap.address, tap.gateway
end

function commands.send(block, id, frame)
	return assert(uv.fs_write(fds[block][id], frame, -1))
end

function commands.wait(block, id, pattern)
	while true do
		local frame = assert(engine_tap.receive(fds[block][id], deadline_ms), "no frame")
		if frame:find(pattern) then return frame:match(pattern) end
	end
end

function commands.flags(block, id)
	for line in io.lines("/proc/self/fdinfo/" .. fds[block][id]) do
		local flags = tonumber(line:match("^flags:%s*(%d+)") or "", 8)
		if flags then return flags & 0x80000 ~= 0, flags & 0x800 ~= 0 end
	end
end

function commands.hold(block, id)
	local _, pid = assert(uv.spawn("cat", { stdio = { uv.new_pipe(), nil, nil, fds[block][id] } }))
	return pid
end

function commands.devices()
	local names = {}
	for _, name in ipairs(engine_tap.devices()) do
		if name ~= "lo" then names[#names + 1] = name end
	end
	table.sort(names)
	return table.concat(names, " ")
end

function commands.descriptors()
	local n = 0
	for _ in pairs(procfs.descriptors("self")) do n = n + 1 end
	return n
end

function commands.ipv6(device)
	local file = io.open(("/proc/sys/net/ipv6/conf/%s/disable_ipv6"):format(device))
	if not file then return nil end
	local is_off = file:read("n") == 1
	file:close()
	return not is_off
end

local function say(ok, ...)
	local values = table.pack(...)
	for i = 1, values.n do values[i] = tostring(values[i]) end
	io.stdout:write(ok and "=" or "!", "\t", table.concat(values, "\t"), "\n")
	io.stdout:flush()
end

for line in io.lines() do
	say(pcall(assert(load("return " .. line, "stdin", "t", setmetatable(commands, { __index = _G })))))
end
os.exit(0, false)
