-- A program that does what it is told, over TCP: spec/support/puppet.lua.
--
--	lua5.4 puppet.lua [HOST:PORT ...]      127.0.0.1:0 when none is named
--
-- Prints "ports P ..."; then each connection carries requests "LENGTH\nCODE", each
-- answered with "LENGTH\nJSON" when the code, run in a coroutine, has returned:
-- {"n": how many, "values": [...]}, or {"err": "..."}. A clone answers at its own
-- address in the same way.

local uv = require "luv"
local json = require "dkjson"
local gc = require "gridcentric"

-- what the code can use
local scope = setmetatable({ gc = gc, uv = uv, kept = {} }, { __index = _G })

-- Runs fn(wake) and waits for wake(...): for callbacks of luv.
function scope.await(fn)
	local thread = coroutine.running()
	fn(function(...) assert(coroutine.resume(thread, ...)) end)
	return coroutine.yield()
end

local function encode(ok, ...)
	if not ok then return json.encode{ err = tostring((...)) } end
	local values = table.pack(...)
	for i = 1, values.n do
		if values[i] == nil then values[i] = json.null end
	end
	return json.encode{ n = values.n, values = setmetatable(values, { __jsontype = "array" }) }
end

local function answer(client, code)
	local fn, err = load(code, "=told", "t", scope)
	local function send(text)
		if not client:is_closing() then client:write(("%d\n%s"):format(#text, text)) end
	end
	if not fn then return send(encode(false, err)) end
	coroutine.wrap(function()
		scope.client = client
		send(encode(xpcall(fn, debug.traceback)))
	end)()
end

local function serve(client)
	local buffer = ""
	client:read_start(function(err, data)
		if err or not data then
			if not client:is_closing() then client:close() end
			return
		end
		buffer = buffer .. data
		while true do
			local length, after = buffer:match("^(%d+)\n()")
			length = tonumber(length)
			if not length or #buffer < after + length - 1 then return end
			local code = buffer:sub(after, after + length - 1)
			buffer = buffer:sub(after + length)
			answer(client, code)
		end
	end)
end

local function listen(where)
	local host, port = where:match("^(.*):(%d+)$")
	local server = uv.new_tcp()
	assert(server:bind(host, tonumber(port), host == "::" and { ipv6only = false } or nil))
	assert(server:listen(1024, function(err)
		assert(not err, err)
		local client = uv.new_tcp()
		if server:accept(client) then serve(client) else client:close() end
	end))
	return server:getsockname().port
end

local ports = {}
for i = 1, math.max(#arg, 1) do ports[i] = listen(arg[i] or "127.0.0.1:0") end
print("ports " .. table.concat(ports, " "))
io.stdout:flush()
uv.run()
