-- Passes connections on to one server, by the proxy in tcp mode. Connections that come before the
-- server's address is known wait.
--
--	local relay, err = forward.listen({ host = "127.0.0.1", port = 8080 }, on_error)
--	relay:open_to("127.64.0.1", 80)

local proxy = require "gridcentric.proxy"

local forward = {}

---@class gridcentric.Forward
---@field address string where it listens
---@field proxy gridcentric.Proxy
---@field waiting table<integer, true> connections that wait for the server
---@field host string?
---@field port integer?
local Forward = { __name = "gridcentric.cli.forward" }
Forward.__index = Forward

---@param address gridcentric.Address where to listen
---@param on_error fun(text: string)
---@return gridcentric.Forward?
---@return string? err
function forward.listen(address, on_error)
	local listener, err = proxy.open(
		{ mode = "tcp", listen = address, sticky = false, route = {}, limits = {} }, on_error)
	if not listener then return nil, err end
	local self = setmetatable(
		{ proxy = listener, address = listener.address, waiting = {} }, Forward)
	listener:serve(self)
	return self
end

---Passes connections on to this server from now on, first those that wait.
---@param host string numeric
---@param port integer
function Forward:open_to(host, port)
	self.host, self.port = host, port
	for conn in pairs(self.waiting) do self.proxy:route(conn, host, port) end
	self.waiting = {}
end

function Forward:on_connection(conn)
	if self.host then return self.proxy:route(conn, self.host, self.port) end
	self.waiting[conn] = true
end

function Forward:on_failure(conn, why)
	self.proxy:refuse(conn, 502, why)
end

function Forward:on_close(conn)
	self.waiting[conn] = nil
end

return forward
