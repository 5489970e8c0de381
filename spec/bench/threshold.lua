-- A request crosses the threshold: from its connect to the first byte of the response, which the
-- clone gives that this request made necessary. Beside it a request that a clone answers which is
-- there already.

local uv = require "luv"
local paths = require "spec.support.paths"
local subject = require "spec.bench.support.subject"

local N = 60
local WARM_UP = 3

local POLICY = [[
return {
	listen = %d,
	app = { script = %q },
	clones = { max = %d },
	scale = ratio { metric = "sessions", per_clone = 1 },
	mode = "http",
}
]]

local function write_file(path, text)
	local file = assert(io.open(path, "w"))
	assert(file:write(text))
	assert(file:close())
end

local function start(t)
	local policy, port = t.tmpdir() .. "/policy.lua", t.free_port()
	write_file(policy, POLICY:format(port, subject.programs .. "/web.lua", N + WARM_UP))
	local service = t.spawn { paths.gcscale, policy }
	service:line("listens on", 20000)
	return service, port
end

local REQUEST = "GET / HTTP/1.1\r\nHost: bench\r\n%s\r\n"

-- Straight on luv: nothing but the request counts.
local function ask(t, port, cookie)
	local client, text, first = uv.new_tcp(), "", nil
	local since = uv.hrtime()
	t.suspend("a response", nil, function(wake)
		client:connect("127.0.0.1", port, function(err)
			assert(not err, err)
			client:read_start(function(_, data)
				first = first or uv.hrtime()
				text = text .. (data or "")
				if not data or text:find("vmid %d+\n") then wake() end
			end)
			client:write(REQUEST:format(cookie and "Cookie: " .. cookie .. "\r\n" or ""))
		end)
	end)
	return {
		client = client,
		ms = (first - since) / 1e6,
		vmid = tonumber(text:match("vmid (%d+)\n")),
		cookie = text:match("[Cc]ookie: ([^;]+)"),
	}
end

return {
	title = "a request crosses the threshold (http, a clone for each session)",
	run = function(t, report)
		local service, port = start(t)
		local crossing, known, clients = {}, {}, {}
		for i = 1, WARM_UP + N do
			local first = ask(t, port)
			local again = ask(t, port, first.cookie)
			assert(first.vmid == i and again.vmid == i, "not answered by the new clone")
			if i > WARM_UP then
				table.insert(crossing, first.ms)
				table.insert(known, again.ms)
			end
			table.insert(clients, first.client)
			table.insert(clients, again.client)
		end
		report:samples("connect to first byte, from a new clone", crossing, { unit = "ms", aim = 10 })
		report:samples("the same, from a clone that is there", known, { unit = "ms" })
		for _, client in ipairs(clients) do client:close() end
		service:stop()
	end,
}
