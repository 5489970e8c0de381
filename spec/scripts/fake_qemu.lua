-- A QEMU without a machine, with an agent in it that is up to no good, for
-- spec/engine/qemu/hostile_guest_spec.lua. The engine starts it as it starts QEMU.
--
--	lua5.4 fake_qemu.lua MODE ARGUMENT ...    those of QEMU
--
-- MODE says what the agent does, see `modes`; what it does not say is done as an agent should. What
-- the agent counts, it prints on its console.

local uv = require "luv"

local QMP, CHANNEL, CONSOLE, RAM = 3, 4, 5, 6 -- descriptors
local WRITTEN = 16 << 20 -- bytes of RAM that a program has
-- csrc/wire/wire.h
local HELLO, PREPARE, PREPARED, READY, STOP, DONE, IDENTITY = 1, 13, 14, 17, 21, 12, 34
local PING, PONG = 38, 39
local FLOOD, STOPS = 100000, 1000 -- messages
local EBUSY = -16

local mode, is_clone = arg[1], false
for _, word in ipairs(arg) do is_clone = is_clone or word == "-incoming" end

local function open(fd)
	local pipe = uv.new_pipe(false)
	assert(pipe:open(fd))
	return pipe
end

local qmp, channel, console = open(QMP), open(CHANNEL), open(CONSOLE)

local function frame(kind, format, ...)
	local fields = ("<" .. format):pack(...)
	return ("<I4BBB"):pack(#fields + 3, 1, kind, 0) .. fields
end

local function hello() return frame(HELLO, "i8s4i8i8", 1, "", 4, 1) end
local function prepared(job, err) return frame(PREPARED, "i8i8s4", job, err, "") end
local function ping() return frame(PING, "i8", 1) end
local function pong(number) return frame(PONG, "i8i8", number, 0) end
local function ready(vmid) return ping() .. frame(READY, "i8i8s4", vmid, 0, "") end

-- ---- the agent -------------------------------------------------------------------

local busy, stopped = 0, 0 -- answers to STOP

-- What is said at each turn.
local honest = {
	start = hello,
	prepare = function(job) return prepared(job, 0) end,
	identity = ready,
	ping = pong,
	asked = function() end, -- QEMU, for its status
}

local modes = {
	honest = {},
	silent = { ping = function() return "" end },
	-- of a version that knows no PING
	old = {
		identity = function(vmid) return frame(READY, "i8i8s4", vmid, 0, "") end,
		ping = function() error "it was sent a PING" end,
	},
	gone = {
		asked = function()
			qmp:write '{"event": "VSERPORT_CHANGE", "data": {"id": "agent-port", "open": false}}\r\n'
		end,
		ping = function() return "" end,
	},
	panicked = {
		asked = function()
			qmp:write '{"event": "GUEST_PANICKED", "data": {"action": "pause"}}\r\n'
		end,
	},
	prepared_twice = { prepare = function(job) return prepared(job, 0):rep(2) end },
	prepared_and_not = { prepare = function(job) return prepared(job, 0) .. prepared(job, -5) end },
	-- for the job that is to come, too
	prepared_unasked = {
		identity = function(vmid)
			return prepared(0, 0) .. prepared(1, -5) .. ready(vmid) .. prepared(1, 0) .. prepared(2, 0)
		end,
	},
	hello_flood = { start = function() return hello():rep(FLOOD) end },
	stop_flood = {
		identity = function(vmid)
			if vmid > 0 then return ready(vmid) end
			local stops = {}
			for op = 1, STOPS do stops[op] = frame(STOP, "i8i8i8", op, 0, 2000000000) end
			return ready(vmid) .. table.concat(stops)
		end,
	},
	ready_twice = { identity = function(vmid) return ready(vmid):rep(2) end },
	garbage = {
		identity = function(vmid) return ready(vmid) .. ("\xff\x00garbage"):rep(1000) end,
	},
}
local agent = setmetatable(assert(modes[mode], mode), { __index = honest })

-- The end comes when each STOP is answered, or is what they wait for.
local function on_done(fields)
	local _, err = ("<i8i8"):unpack(fields)
	if err == EBUSY then busy = busy + 1 else stopped = stopped + 1 end
	if busy == STOPS - 64 then
		console:write(("busy %d, else %d\n"):format(busy, stopped), function() os.exit(0, true) end)
	end
end

local npings, nasked = 0, 0

local function count(what, n) console:write(("%s %d\n"):format(what, n)) end

local function on_message(kind, fields)
	if kind == PREPARE then
		channel:write(agent.prepare((("<i8"):unpack(fields))))
	elseif kind == IDENTITY then
		local snapshot, vmid = ("<i8i8"):unpack(fields)
		-- a master that goes on, after a snapshot, is told so
		if is_clone or snapshot == 0 then channel:write(agent.identity(vmid)) end
	elseif kind == PING then
		npings = npings + 1
		count("pinged", npings)
		channel:write(agent.ping((("<i8"):unpack(fields))))
	elseif kind == DONE then
		on_done(fields)
	end
end

local received = ""
channel:read_start(function(_, data)
	if not data then return channel:read_stop() end -- QEMU does not mind
	received = received .. data
	while #received >= 4 and #received >= 4 + ("<I4"):unpack(received) do
		local message, after = ("<s4"):unpack(received)
		received = received:sub(after)
		on_message(message:byte(2), message:sub(4))
	end
end)

-- ---- QEMU ------------------------------------------------------------------------

local function on_command(name)
	if name == "query-status" then
		nasked = nasked + 1
		count("asked", nasked)
		agent.asked()
	end
	qmp:write(name == "human-monitor-command" and '{"return": ""}\r\n' or '{"return": {}}\r\n')
	if name == "migrate-incoming" then
		qmp:write '{"event": "MIGRATION", "data": {"status": "completed"}}\r\n'
	end
end

local commands = ""
qmp:read_start(function(_, data)
	if not data then os.exit(0) end
	commands = (commands .. data):gsub('.-"execute"%s*:%s*"([%w_-]+)"', function(name)
		on_command(name)
		return ""
	end)
end)

if not is_clone then
	assert(uv.fs_write(RAM, ("x"):rep(WRITTEN), 0))
	channel:write(agent.start())
end
qmp:write '{"QMP": {"version": {}, "capabilities": []}}\r\n'
uv.run()
