-- The longest that an echo client of the program waits while that is cloned, and in as much time
-- without a clone.

local uv = require "luv"
local subject = require "spec.bench.support.subject"

local N = 60
local INTERVAL_US = 250 -- between two bytes of the client

local function start_client(t, port)
	local client = t.spawn { subject.helpers .. "/echo_client", "127.0.0.1", tostring(port),
		tostring(INTERVAL_US), stdin = true }
	client:line("^connected")
	return client
end

-- The longest wait since this was asked last, in ms.
local function longest(client)
	client:write("r")
	return tonumber((client:line("^gap (%d+)"))) / 1e6
end

local function pause(t, ms)
	t.suspend("a pause", nil, function(wake)
		local timer = uv.new_timer()
		timer:start(ms, 0, function()
			timer:close()
			wake()
		end)
	end)
end

local function measure(t, report, mb)
	local program = subject.start(t, { mb = mb })
	local client = start_client(t, program.port)
	local with, without = {}, {}
	for i = 1, N do
		pause(t, 5)
		longest(client)
		local since = uv.hrtime()
		program:clone()
		with[i] = longest(client)
		local window_ms = math.ceil((uv.hrtime() - since) / 1e6)
		pause(t, window_ms)
		without[i] = longest(client)
	end
	report:samples(("%d MB: longest wait during a clone"):format(mb), with, { unit = "ms" })
	report:samples(("%d MB: the same without"):format(mb), without, { unit = "ms" })
	client:close_stdin()
	client:wait()
	program:stop()
end

return {
	title = "what an echo client of the program notices of a clone",
	run = function(t, report)
		measure(t, report, 10)
		measure(t, report, 500)
	end,
}
