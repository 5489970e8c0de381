-- Makes three clones and lists them; in a coroutine, so that no callbacks are needed.

local gc = require "gridcentric"
local uv = require "luv"

local server = uv.new_tcp()
server:bind("127.0.0.1", 0)
server:listen(16, function() end)

coroutine.wrap(function()
	local ticket = assert(gc.request_ticket(3, 3, 1, 1000))
	local vmid, err = gc.clone(ticket)
	if vmid < 0 then error(err) end
	if vmid > 0 then return end -- a clone goes on listening
	for _, domain in ipairs(gc.list_domains()) do
		local _, where = next(domain.endpoints)
		print(("domain %d: %s, process %d on %s, listens at %s"):format(domain.vmid,
			domain.state, domain.pid, domain.host, where or "the program's own address"))
	end
	for i = 1, 3 do assert(gc.kill(i)) end
	print(("%d left"):format(#gc.list_domains()))
	server:close()
end)()

uv.run()
