-- What the benches clone: an echo server of a given size.
--
--	lua5.4 program.lua [mb=N] [heap=tables] [timers=N] [fs=N]
--
-- mb: resident memory, made up by one block of C memory, or by small tables. timers: that many
-- tick each 10 ms. fs: that many requests are in flight in the thread pool all the time.
--
-- SIGUSR1: clones itself; the clone ends. SIGUSR2: the same, but the clone stays. Each clone
-- writes, says on stdout how long that took since clone(): "clone VMID PID ADDRESS NS"; the program
-- says "master NS" when its own callback comes, "ended VMID" when a clone has ended.
--
-- Under gcscale or another owner it is just an echo server on $PORT.

local uv = require "luv"
local async = require "gridcentric.platform.async"
local gc = require "gridcentric"

local MARK_CALL, MARK_CLONE, MARK_MASTER = 1, 2, 3 -- as in support/stamps.lua
local new_block = require("bench.ballast").new
local mark = os.getenv("BENCH_STAMPS") and require("bench.stamps").mark or function() end

local given = {}
for _, text in ipairs(arg) do
	local name, value = text:match("^(%w+)=(%w+)$")
	given[name] = tonumber(value) or value
end

-- One write a line: clones write to the same pipe.
io.stdout:setvbuf("no")
local function say(format, ...)
	io.stdout:write(format:format(...) .. "\n")
end

-- Memory -----------------------------------------------------------------------------------------

local function resident_mb()
	local file = assert(io.open("/proc/self/status"))
	local kb = file:read("a"):match("VmRSS:%s+(%d+)")
	file:close()
	return kb / 1024
end

local ballast = {}
if given.heap == "tables" then
	while resident_mb() < given.mb do
		for _ = 1, 1000 do ballast[#ballast + 1] = { id = #ballast, hits = 0 } end
	end
elseif given.mb then
	local missing = given.mb - resident_mb()
	if missing > 0 then ballast[1] = new_block(math.floor(missing * 2 ^ 20)) end
end

-- Load -------------------------------------------------------------------------------------------

for _ = 1, given.timers or 0 do uv.new_timer():start(10, 10, function() end) end

local function stat()
	uv.fs_stat("/etc/passwd", stat)
end
for _ = 1, given.fs or 0 do stat() end

-- What it does -----------------------------------------------------------------------------------

-- A request on the tables: looks up some, makes some garbage, as programs do.
local function look_up(data)
	local found = {}
	for i = 1, 10 do
		local entry = ballast[math.random(#ballast)]
		entry.hits = entry.hits + 1
		found[i] = { id = entry.id, text = ("entry %d, %d"):format(entry.id, entry.hits) }
	end
	return #found == 10 and data
end

local answer = given.heap == "tables" and look_up or function(data) return data end

local server = uv.new_tcp()
assert(server:bind("0.0.0.0", tonumber(os.getenv("PORT")) or 0))
assert(server:listen(4096, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:nodelay(true)
	client:read_start(function(_, data)
		if data then return client:write(answer(data)) end
		if not client:is_closing() then client:close() end
	end)
end))

-- Cloning ----------------------------------------------------------------------------------------

local function clone(stays)
	gc.request_ticket(1, 1, 1, 5000, function(ticket, err)
		assert(ticket, err)
		local since = uv.hrtime()
		mark(MARK_CALL)
		gc.clone(ticket, function(vmid, clone_err)
			if vmid == 0 then
				mark(MARK_MASTER)
				return say("master %d", uv.hrtime() - since)
			end
			mark(MARK_CLONE)
			assert(vmid > 0, clone_err)
			say("up")
			local took = uv.hrtime() - since
			say("clone %d %d %s %d", vmid, uv.os_getpid(), async.core():address(), took)
			if not stays then os.exit(0) end
		end)
	end)
end

if async.role() ~= "domain" then
	async.on("domain", function(_, vmid, state)
		if state == "ended" then say("ended %d", vmid) end
	end)
	uv.new_signal():start("sigusr1", function() clone(false) end)
	uv.new_signal():start("sigusr2", function() clone(true) end)
end

say("port %d", server:getsockname().port)
uv.run()
