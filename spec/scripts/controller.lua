-- A controller that does what it is told on its standard input; the program is
-- spec/scripts/puppet.lua.
--
--	lua5.4 controller.lua PORT
--
--	clone N, stop VMID GRACE_MS, close, exit
--
-- Prints "ready VMID IP:PORT PID", "ended VMID status N" or "... signal N", "failed
-- VMID TEXT", "cloned VMID ...[: ERROR]", "stopped VMID", "lost ERROR". A program that
-- ended is started anew.

local uv = require "luv"
local platform = require "gridcentric.platform"

local here = arg[0]:match("^(.*)/[^/]*$")
local port = math.tointeger(tonumber(arg[1]))

local function say(...)
	print(...)
	io.stdout:flush()
end

local outside = assert(platform.outside{
	name = "controller", script = "puppet.lua", dir = here, port = port,
	args = { "127.0.0.1:" .. port },
})
local closing

local function start()
	outside:start(function(ok, err) if not ok then say("not started: " .. err) end end)
end

outside:subscribe(function(vmid, state, info)
	if state == "ready" then
		say(("ready %d %s:%d %d"):format(vmid, info.ip, info.port, info.pid))
	elseif info.signal then
		say(("%s %d signal %d"):format(state, vmid, info.signal))
	else
		say(("%s %d status %s%s"):format(state, vmid, info.status or "?",
			state == "failed" and " " .. info.text or ""))
	end
	if vmid == 0 and state ~= "ready" and not closing then start() end
end)
outside:on_lost(function(err)
	say("lost " .. err)
	start()
end)

local commands = {}
function commands.clone(n)
	outside:clone(tonumber(n), function(vmids, err)
		table.sort(vmids)
		say(("cloned %s%s"):format(table.concat(vmids, " "), err and ": " .. err or ""))
	end)
end
function commands.stop(vmid, grace_ms)
	outside:stop(tonumber(vmid), tonumber(grace_ms), function(ok, err)
		say(ok and "stopped " .. vmid or err)
	end)
end
function commands.close(grace_ms)
	closing = true
	outside:close(tonumber(grace_ms), function()
		say("closed")
		os.exit(0)
	end)
end
function commands.exit() os.exit(0) end

local input = uv.new_pipe(false)
input:open(0)
local buffer = ""
input:read_start(function(_, data)
	buffer = buffer .. (data or "")
	buffer = buffer:gsub("([^\n]*)\n", function(line)
		local words = {}
		for word in line:gmatch("%S+") do words[#words + 1] = word end
		commands[table.remove(words, 1)](table.unpack(words))
		return ""
	end)
end)
start()
uv.run()
