-- A controller for spec/engine/backend_contract_spec.lua: does what it is told on its standard
-- input, with the program spec/scripts/puppet.lua, or the machine of an image in which that runs.
--
--	lua5.4 backend.lua PORT [IMAGE]
--
--	clone N, ticket N, release, stop VMID GRACE_MS, close
--
-- Prints what it is told of domains, "starting VMID", "ready VMID IP:PORT PID", "ended VMID",
-- "failed VMID", and answers, "cloned VMID ...[: ERROR]", "ticket", "released", "stopped VMID",
-- "closed".

local gc = require "gridcentric"
local platform = require "gridcentric.platform"
local uv = require "luv"

local port, image = math.tointeger(tonumber(arg[1])), arg[2]

local function say(...)
	print((...):format(select(2, ...)))
	io.stdout:flush()
end

local backend
if image then
	backend = assert(platform.vm {
		name = "contract", image = image, port = port, memory = 128, cpus = 1, accel = "tcg",
		network = "user", spare = 0, on_console = function(text) io.stderr:write(text) end,
	})
else
	backend = assert(platform.outside {
		name = "contract", script = "puppet.lua", dir = arg[0]:match "^(.*)/[^/]*$", port = port,
		args = { "127.0.0.1:" .. port },
	})
end

backend:subscribe(function(vmid, state, info)
	if state == "ready" then
		say("ready %d %s:%d %d", vmid, info.ip, info.port, info.pid)
	else
		say("%s %d", state, vmid)
	end
end)
backend:on_lost(error)

local commands, kept = {}, nil

function commands.clone(n)
	backend:clone(tonumber(n), function(vmids, err)
		table.sort(vmids)
		say("cloned %s%s", table.concat(vmids, " "), err and ": " .. err or "")
	end)
end

function commands.ticket(n)
	gc.request_ticket(tonumber(n), tonumber(n), 1, 10000, function(ticket, err)
		kept = assert(ticket, err)
		say "ticket"
	end)
end

function commands.release()
	gc.release_ticket(kept, function(_, err) say("released%s", err or "") end)
end

function commands.stop(vmid, grace_ms)
	backend:stop(tonumber(vmid), tonumber(grace_ms), function(ok, err)
		say("stopped %s%s", vmid, ok and "" or ": " .. err)
	end)
end

function commands.close()
	backend:close(0, function()
		say "closed"
		os.exit(0)
	end)
end

local input, buffer = uv.new_pipe(false), ""
input:open(0)
input:read_start(function(_, data)
	buffer = buffer .. (data or "")
	buffer = buffer:gsub("([^\n]*)\n", function(line)
		local words = {}
		for word in line:gmatch "%S+" do words[#words + 1] = word end
		commands[words[1]](table.unpack(words, 2))
		return ""
	end)
end)
backend:start(function(ok, err) if not ok then error(err) end end)
uv.run()
