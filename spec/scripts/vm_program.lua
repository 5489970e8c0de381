-- A program of a VM: listens on $PORT (8001), holds a connection to itself at each address named,
-- and says when one of them breaks. Prints "serving" when all are there.
--
--	lua5.4 vm_program.lua [IP ...]

local uv = require "luv"

local port = tonumber(os.getenv "PORT" or 8001)
local ticks, waited = 0, #arg

local function say(...)
	print(...)
	io.stdout:flush()
end

local server = uv.new_tcp()
assert(server:bind("0.0.0.0", port))
assert(server:listen(16, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err) if err then client:close() end end)
end))

local function serving()
	say "serving"
	uv.new_timer():start(0, 5, function() ticks = ticks + 1 end)
end

for _, ip in ipairs(arg) do
	local client = uv.new_tcp()
	client:connect(ip, port, function(err)
		assert(not err, err)
		client:read_start(function(failure) say(ip, failure or "end") end)
		waited = waited - 1
		if waited == 0 then serving() end
	end)
end
if #arg == 0 then serving() end
uv.run()
