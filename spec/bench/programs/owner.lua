-- Has a program cloned from outside, as gcscale does, and is the first client of each clone.
--
--	lua5.4 owner.lua DIR SCRIPT PORT ROUNDS CLONES
--
-- In each round CLONES clones are made on one ticket. As soon as one is ready it is sent a byte at
-- its address, as soon as that has come back it is served: "first NS" since clone(). When all are
-- served: "all NS"; then they are ended.

local uv = require "luv"
local async = require "gridcentric.platform.async"
local gc = require "gridcentric"

local dir, script = arg[1], arg[2]
local port, rounds, clones = tonumber(arg[3]), tonumber(arg[4]), tonumber(arg[5])

local core = assert(async.open { role = "outside", name = "bench" })
local since, alive, served
local round

local function say(what, ns)
	print(("%s %d"):format(what, ns))
end

local function on_served()
	served = served + 1
	local took = uv.hrtime() - since
	say("first", took)
	if served < clones then return end
	say("all", took)
	for vmid in pairs(alive) do gc.kill(vmid, function() end) end
end

local function ask(ip)
	local client = uv.new_tcp()
	client:connect(ip, port, function(err)
		assert(not err, err)
		client:read_start(function(_, data)
			if data then on_served() end
			if not client:is_closing() then client:close() end
		end)
		client:write("x")
	end)
end

local function on_domain(_, vmid, state, info)
	if vmid == 0 and state == "ready" then
		round(rounds)
	elseif state == "ready" then
		alive[vmid] = true
		ask(info.ip)
	elseif state == "ended" then
		assert(alive and alive[vmid], info.text) -- the program, or a clone that never was ready
		alive[vmid] = nil
		if not next(alive) and served == clones then round(rounds - 1) end
	end
end

function round(n)
	if n == 0 then os.exit(0) end -- with it goes the engine, and with that the program
	rounds, alive, served = n, {}, 0
	gc.request_ticket(clones, clones, 1, 10000, function(ticket, err)
		assert(ticket, err)
		since = uv.hrtime()
		gc.clone(ticket, function(vmid, clone_err) assert(vmid == 0, clone_err) end)
	end)
end

async.on("domain", on_domain)
local runner = assert(package.searchpath("gridcentric.service", package.path))
local op, failure = core:start(port, dir, { "lua5.4", runner, script })
async.wait(assert(op, failure), nil, nil, assert, function(check, err) check(not err, err) end)
async.hold()
uv.run()
