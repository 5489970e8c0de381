-- A web server that says who answers.

local uv = require "luv"
local gc = require "gridcentric"

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(os.getenv("PORT"))))
assert(server:listen(128, function()
	local client, text = uv.new_tcp(), ""
	server:accept(client)
	client:nodelay(true)
	client:read_start(function(_, data)
		if not data then return client:close() end
		text = text .. data
		if not text:find("\r\n\r\n", 1, true) then return end
		text = ""
		local body = ("vmid %d\n"):format(gc.vmid())
		client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
	end)
end))
uv.run()
