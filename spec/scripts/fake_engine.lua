-- An engine without machines, in place of the real one: GRIDCENTRIC_ENGINE. When it is told to
-- start a virtual machine it plays what FAKE_ENGINE_PLAY says, Lua code that finds:
--
--	machine                        what was asked for: port, image, memory, cpus, accel, network,
--	                               has_lan
--	say(type, field ...)           sends a message
--	console(bytes)                 the machine writes that on its console
--	starting(text), ready(ip, port)    how it is
--	ended(status)                  a wait status, as of waitpid
--	stay()                         it does not end when it is told to
--	once_exists(path, fn)          when the spec has made that file
--
-- Where there is nothing to play, it does not even answer.
-- Tickets are granted and clones made as asked for; each ticket request goes to standard error.

local uv = require "luv"
local wire = require "gridcentric.spec_wire"

local channel = uv.new_pipe(true)
assert(channel:open(3))

local STARTING, READY, ENDED = 0, 1, 3
local endpoint, stays
local env = setmetatable({}, { __index = _G })

function env.say(...) channel:write(assert(wire.encode(...))) end

local function domain(vmid, state, status, ip, port, ticket, text)
	env.say("DOMAIN", vmid, state, 4711, status, ip or "", port or 0, ticket or "", text or "")
end

function env.console(bytes) env.say("CONSOLE", 0, bytes) end
function env.stay() stays = true end
function env.starting(text) domain(0, STARTING, -1, nil, nil, nil, text) end
function env.ended(status) domain(0, ENDED, status) end

function env.ready(ip, port)
	endpoint = ("%d=%s:%d"):format(env.machine.port, ip, port)
	domain(0, READY, -1, ip, port)
end

function env.once_exists(path, fn)
	local timer = uv.new_timer()
	timer:start(0, 5, function()
		if not uv.fs_stat(path) then return end
		timer:close()
		fn()
	end)
end

local answers = {}

function answers.HELLO() env.say("WELCOME", -1, "fake") end

function answers.BYE(grace_ms)
	if not stays then os.exit(0) end
	io.stderr:write(("bye %d\n"):format(grace_ms))
end

function answers.LIST(op) env.say("DOMAINS", op, 0, 4711, READY, "localhost", endpoint) end
function answers.STOP(op) env.say("DONE", op, 0, "") end

function answers.START_VM(op, port, image, memory, cpus, accel, network, has_lan, spare)
	env.machine = { port = port, image = image, memory = memory, cpus = cpus, accel = accel,
		network = network, has_lan = has_lan, spare = spare }
	local play = os.getenv "FAKE_ENGINE_PLAY"
	if play == "" then return end
	env.say("DONE", op, 0, "")
	assert(load(play, "=play", "t", env))()
end

local asked

function answers.TICKET_REQUEST(op, cpus, vms, cpus_per_vm)
	io.stderr:write(("ticket: %d CPUs, from %d machine of %d\n"):format(cpus, vms, cpus_per_vm))
	asked = cpus // cpus_per_vm
	env.say("TICKET", op, 0, "", "ticket-1", 1, cpus, asked, cpus_per_vm)
end

function answers.CLONE(op, ticket)
	local vmids = {}
	for vmid = 1, asked do
		vmids[vmid] = vmid
		domain(vmid, READY, -1, "127.64.0." .. vmid, env.machine.port, ticket)
	end
	env.say("CLONED", op, 0, "", table.unpack(vmids))
end

local bytes = ""
channel:read_start(function(_, data)
	if not data then os.exit(0) end
	bytes = bytes .. data
	while true do
		local len, name, _, fields = wire.decode(bytes)
		if assert(len) == 0 then return end
		bytes = bytes:sub(len + 1)
		if answers[name] then answers[name](table.unpack(fields)) end
	end
end)
uv.run()
