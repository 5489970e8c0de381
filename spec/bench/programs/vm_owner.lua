-- Starts a virtual machine, as gcscale does, and says what it is told, each line with the clock:
--
--	lua5.4 vm_owner.lua IMAGE MEMORY ACCEL PORT SPARE
--
--	"NS start"                              it asks for the machine
--	"NS domain VMID STATE PID ADDRESS TEXT"
--	"NS metric VMID NAME"
--	"NS console TEXT"
--	"NS failed TEXT"
--
-- A line on stdin is the number of a clone that is to be ended. At its end all end.

local uv = require "luv"
local async = require "gridcentric.platform.async"
local gc = require "gridcentric"
local platform = require "gridcentric.platform"

local image, memory, accel, port = arg[1], tonumber(arg[2]), arg[3], tonumber(arg[4])
local spare = tonumber(arg[5])

io.stdout:setvbuf "no"
local function say(format, ...)
	io.stdout:write(("%d "):format(uv.hrtime()) .. format:format(...) .. "\n")
end

local function fail(text)
	say("failed %s", (text:gsub("\n", " | ")))
	os.exit(1)
end

local vm = assert(platform.vm {
	name = "bench-vm", image = image, memory = memory, cpus = 1, accel = accel, port = port,
	network = "user", spare = spare,
	on_console = function(text)
		for line in text:gmatch "[^\n]+" do say("console %s", line) end
	end,
})
async.on("metric", function(_, vmid, name) say("metric %d %s", vmid, name) end)
async.on("domain", function(_, vmid, state, info)
	say("domain %d %s %d %s %s", vmid, state, info.pid or 0, info.ip or "-",
		(tostring(info.text or ""):gsub("%c", " ")))
	if vmid == 0 and state == "ended" then
		fail("the machine has ended: " .. table.concat(vm:last_words() or {}, " | "))
	end
end)
vm:on_lost(fail)

local stdin, text = uv.new_pipe(false), ""
stdin:open(0)
stdin:read_start(function(_, data)
	if not data then return vm:close(0, function() os.exit(0) end) end
	text = (text .. data):gsub("(%d+)\n", function(vmid)
		gc.kill(tonumber(vmid), function() end)
		return ""
	end)
end)

say "start"
vm:start(function(ok, err)
	if not ok then fail(err) end
end)
async.hold()
uv.run()
