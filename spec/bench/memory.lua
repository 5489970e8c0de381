-- What a clone has for itself: pages that no other process shares (smaps_rollup).

local uv = require "luv"
local memory = require "spec.bench.support.memory"
local subject = require "spec.bench.support.subject"

local N = 50
local CONNECTIONS = 8
local REQUESTS = 10000

local function private_mb(clone)
	return memory.private(clone.pid) / 1024
end

-- Clones that have done nothing yet: the only one, and many that share with each other, too.
local function measure_idle(t, report)
	local program = subject.start(t, {})
	local clones, alone, together = {}, {}, {}
	for i = 1, N do
		local clone = program:keep()
		alone[i] = private_mb(clone)
		program:finish(clone)
	end
	for i = 1, N do clones[i] = program:keep() end
	for i, clone in ipairs(clones) do together[i] = private_mb(clone) end
	report:samples("idle, the only clone", alone, { unit = "MB", aim = 1.5 })
	report:samples(("idle, one of %d"):format(N), together, { unit = "MB" })
	report:note(("the program itself has %.1f MB resident"):format(
		memory.resident(program.pid).rss / 1024))
	program:stop()
end

-- Over a few connections, each asks again when it is answered.
local function send_requests(t, ip, port, n)
	local left, sent = n, 0
	t.suspend(n .. " requests", 60000, function(wake)
		local function ask(client)
			if sent == n then return client:close() end
			sent = sent + 1
			client:write("request\n")
		end
		for _ = 1, CONNECTIONS do
			local client = uv.new_tcp()
			client:connect(ip, port, function(err)
				assert(not err, err)
				client:read_start(function(read_err, data)
					assert(data, read_err or "closed")
					left = left - 1
					ask(client)
					if left == 0 then wake() end
				end)
				ask(client)
			end)
		end
	end)
end

local function measure_used(t, report)
	local program = subject.start(t, { mb = 100, heap = "tables" })
	local before, after = {}, {}
	for i = 1, 10 do
		local clone = program:keep()
		before[i] = private_mb(clone)
		send_requests(t, clone.ip, program.port, REQUESTS)
		after[i] = private_mb(clone)
		program:finish(clone)
	end
	report:samples("heap of 100 MB of small tables: before a request", before, { unit = "MB" })
	report:samples("the same after 10,000 requests", after, { unit = "MB" })
	program:stop()
end

return {
	title = "memory that a clone has for itself",
	run = function(t, report)
		measure_idle(t, report)
		measure_used(t, report)
	end,
}
