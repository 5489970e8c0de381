-- A master under traffic that is cloned many times; each clone checks itself.
--
--	lua5.4 fork_storm.lua CONTEXT CLONES [LOAD]
--
-- CONTEXT: timer, prepare, check, poll: the kind of callback that calls clone().
-- LOAD: fs (64 requests of the thread pool in flight), exit (os.exit straight
-- after cloning), signal (caught signals all the time), child (a helper process,
-- which each clone tries to kill).
-- Prints "clone N ok" or "clone N wrong: ..." for each, "ended N status signal",
-- and at last "master served ROUNDTRIPS".

local uv = require "luv"
local async = require "gridcentric.platform.async"
local gc = require "gridcentric"

local context, wanted, load = arg[1], tonumber(arg[2]), arg[3]
local per_ticket = 4
local exit_status = 7

local me = "master"
local served = 0

local function say(...) io.stdout:write(table.concat({ ... }, " "), "\n") io.stdout:flush() end

-- An echo server that says who it is.
local server = uv.new_tcp()
server:bind("0.0.0.0", 0)
local port = server:getsockname().port
server:listen(128, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err, data)
		if data and not err then
			served = served + 1
			client:write(me)
		elseif not client:is_closing() then
			client:close()
		end
	end)
end)

-- Busy connections; in a clone both ends are dead and say so.
local cut = 0
local function when_cut() end
for _ = 1, 8 do
	local client = uv.new_tcp()
	client:connect("127.0.0.1", port, function()
		client:read_start(function(_, data)
			if data and me == "master" then
				client:write("x")
			elseif not data then
				cut = cut + 1
				when_cut()
				if not client:is_closing() then client:close() end
			end
		end)
		client:write("x")
	end)
end

-- A write that is blocked: its peer does not read.
local deaf = uv.new_tcp()
deaf:bind("127.0.0.1", 0)
deaf:listen(1, function()
	local client = uv.new_tcp()
	deaf:accept(client)
end)
local blocked = uv.new_tcp()
blocked:connect("127.0.0.1", deaf:getsockname().port, function()
	blocked:write(("x"):rep(16 * 1024 * 1024))
end)

local helper
if load == "fs" then
	local function stat()
		uv.fs_stat("/etc/passwd", function() if me == "master" then stat() end end)
	end
	for _ = 1, 64 do stat() end
elseif load == "exit" then
	uv.fs_stat("/etc/passwd", function() end)
elseif load == "signal" then
	local signal = uv.new_signal()
	signal:start("sigusr1", function() end)
	local pester = uv.new_idle()
	pester:start(function()
		if me == "master" then uv.kill(uv.os_getpid(), "sigusr1") else pester:close() end
	end)
elseif load == "child" then
	helper = uv.spawn("sleep", { args = { "60" } }, function(status, signal)
		say("helper ended", status, signal)
	end)
end

-- ---- a clone ----------------------------------------------------------------

local function check_clone(vmid)
	me = "clone " .. vmid
	if load == "exit" then
		say("clone", vmid, "ok")
		os.exit(exit_status)
	end
	if helper then helper:kill("sigkill") end
	local address = async.core():address()
	local found = { seed = true }
	local timeout = uv.new_timer()
	local function finish()
		if cut ~= 8 then return end
		if not (found.timer and found.self and found.pool and found.dns and found.spawn) then return end
		say("clone", vmid, "ok")
		os.exit(exit_status)
	end
	when_cut = finish
	local timer = uv.new_timer()
	timer:start(20, 0, function() found.timer = true finish() end)
	local probe = uv.new_tcp()
	probe:connect(address, port, function(err)
		if err then return say("clone", vmid, "wrong: connect", err) end
		probe:read_start(function(_, data)
			if data == me then
				found.self = true
				finish()
			elseif data then
				say("clone", vmid, "wrong: answered by", data)
			end
		end)
		probe:write("x")
	end)
	uv.fs_stat("/etc/hostname", function() found.pool = true finish() end)
	uv.getaddrinfo("localhost", nil, {}, function() found.dns = true finish() end)
	uv.spawn("true", {}, function(status) found.spawn = status == 0 finish() end)
	timeout:start(20000, 0, function()
		local missing = { cut ~= 8 and ("connections cut: %d"):format(cut) or nil }
		for _, what in ipairs { "timer", "self", "pool", "dns", "spawn" } do
			if not found[what] then missing[#missing + 1] = what end
		end
		say("clone", vmid, "wrong: no", table.concat(missing, ", "))
		os.exit(1)
	end)
end

-- ---- the master -------------------------------------------------------------

local made, ended = 0, 0

async.on("domain", function(_, vmid, state, info)
	if state ~= "ended" then return end
	ended = ended + 1
	say("ended", vmid, info.status or "?", info.signal or 0)
	if ended == wanted then
		local before = served
		local last = uv.new_timer()
		last:start(50, 0, function()
			say("master served", served > before and "yes" or "no")
			if helper then
				helper:kill("sigterm")
			end
			os.exit(0)
		end)
	end
end)

local run_in = {
	timer = function(fn) uv.new_timer():start(0, 0, fn) end,
	prepare = function(fn) local h = uv.new_prepare() h:start(function() h:close() fn() end) end,
	check = function(fn) local h = uv.new_check() h:start(function() h:close() fn() end) end,
	poll = function(fn)
		local fds = uv.pipe()
		local h = uv.new_poll(fds.read)
		h:start("r", function() h:close() fn() end)
		uv.fs_write(fds.write, "x")
	end,
}

local function clone_some()
	local n = math.min(per_ticket, wanted - made)
	if n == 0 then return end
	gc.request_ticket(n, n, 1, 5000, function(ticket, err)
		if not ticket then say("wrong: ticket", err) os.exit(1) end
		run_in[context](function()
			gc.clone(ticket, function(vmid, clone_err)
				if vmid < 0 then say("wrong: clone", clone_err) os.exit(1) end
				if vmid > 0 then return check_clone(vmid) end
				made = made + n
				clone_some()
			end)
		end)
	end)
end

local start = uv.new_timer()
start:start(50, 0, clone_some)
uv.run()
