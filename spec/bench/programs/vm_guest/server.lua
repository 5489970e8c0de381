-- What runs in the virtual machines that the benches clone.
--
-- Sends back on $PORT what it gets, unless a connection begins with "gc:"; that one gives commands,
-- a line each, and gets an answer to each:
--
--	gc:ping          "pong", and the metric `pong`
--	gc:touch BYTES   memory that is in use from now on, in all
--	gc:write BYTES   writes so much of it again, in place
--	gc:ticket N      "ok" when it has a ticket for N clones
--	gc:clone         clones itself with it
--	gc:now N         a ticket, and the clones at once
--
-- Of clones it tells by metrics, which come through the agent, as all of cloning does, and not over
-- the network, which a clone has later: `there` in the callback of each clone, `master` in its own.

local uv = require "luv"
local gc = require "gridcentric"

local MB = 1024 * 1024
local PATH = "/tmp/ballast" -- in memory, as all files here

local ballast = assert(uv.fs_open(PATH, "w+", 384))
local size, generation = 0, 0
local ticket

-- A MB, in which neither all pages nor all times are alike.
local function new_block()
	generation = generation + 1
	local pages = {}
	for i = 1, MB // 4096 do
		pages[i] = ("%8d %8d "):format(generation, i) .. ("x"):rep(4096 - 18)
	end
	return table.concat(pages)
end

local function fill(from, to)
	local block = new_block()
	while from < to do
		local n = math.min(MB, to - from)
		assert(uv.fs_write(ballast, n == MB and block or block:sub(1, n), from))
		from = from + n
	end
end

local function clone()
	gc.clone(ticket, function(vmid, err)
		if vmid < 0 then print("clone: " .. err) end
		gc.metric(vmid > 0 and "there" or vmid == 0 and "master" or "failed", vmid)
	end)
end

local commands = {}

function commands.ping(answer)
	gc.metric("pong", 0)
	answer "pong"
end

function commands.touch(answer, bytes)
	fill(size, bytes)
	size = math.max(size, bytes)
	answer "ok"
end

function commands.write(answer, bytes)
	fill(0, bytes)
	answer "ok"
end

local function request(n, granted)
	gc.request_ticket(n, n, 1, 5000, function(id, err)
		ticket = id
		granted(err or "ok")
	end)
end

function commands.ticket(answer, n)
	request(n, answer)
end

function commands.clone(answer)
	answer "ok"
	clone()
end

function commands.now(answer, n)
	answer "ok"
	request(n, function(text)
		if ticket then clone() else print("ticket: " .. text) end
	end)
end

local function serve(client)
	local is_commands, text = nil, ""
	client:nodelay(true)
	client:read_start(function(_, data)
		if not data then
			if not client:is_closing() then client:close() end
			return
		end
		if is_commands == nil then is_commands = data:sub(1, 3) == "gc:" end
		if not is_commands then return client:write(data) end
		text = (text .. data):gsub("gc:(%l+) ?(%d*)\n", function(name, number)
			commands[name](function(answer) client:write(answer .. "\n") end, tonumber(number))
			return ""
		end)
	end)
end

-- In a clone, who wanted an echo has gone.
local signal = uv.new_signal()
signal:start("sigpipe", function() end)
signal:unref()

local server = uv.new_tcp()
assert(server:bind("0.0.0.0", tonumber(os.getenv "PORT")))
assert(server:listen(16, function()
	local client = uv.new_tcp()
	server:accept(client)
	serve(client)
end))
uv.run()
