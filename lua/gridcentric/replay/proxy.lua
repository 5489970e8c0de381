-- A model of the proxy and its clients: connections that are opened and closed, each with one
-- request, which is answered after a time. The functions of gridcentric.proxy that a controller
-- needs, and these:
--
--	local conn = proxy:open(ip, cookie)   somebody connects, and asks
--	proxy:hang_up(conn)
--
-- Who is taken from a clone asks again, and so goes to another one. In tcp mode a connection is
-- just open.

local model = {}

local ANSWER_S = 0.01
local AGAIN_S = 0.5

---@class gridcentric.ProxyModel
---@field mode "http"|"tcp"
---@field address string
local Model = { __name = "gridcentric.replay.proxy", address = "-" }
Model.__index = Model

---@param clock gridcentric.Clock
---@param mode "http"|"tcp"
---@return gridcentric.ProxyModel
function model.new(clock, mode)
	return setmetatable({ clock = clock, mode = mode, clients = {}, last = 0 }, Model)
end

function Model:serve(handler) self.handler = handler end

local function ask(self, conn, client)
	if self.mode == "tcp" then return self.handler:on_connection(conn, client.ip) end
	self.handler:on_request(conn, client.ip,
		{ method = "GET", target = "/", host = "-", cookie = client.cookie })
end

-- What is only done if the connection is still open by then.
local function later(self, seconds, conn, fn)
	local client = self.clients[conn]
	self.clock.after(seconds, function()
		if self.clients[conn] == client then fn(client) end
	end)
end

---@param ip string
---@param cookie string?
---@return integer conn
function Model:open(ip, cookie)
	self.last = self.last + 1
	local conn, client = self.last, { ip = ip, cookie = cookie }
	self.clients[conn] = client
	ask(self, conn, client)
	return conn
end

---Harmless where the connection is over.
---@param conn integer
function Model:hang_up(conn)
	if not self.clients[conn] then return end
	self.clients[conn] = nil
	self.handler:on_close(conn)
end

local function answer(self, conn, status)
	if self.mode == "tcp" then return end
	later(self, ANSWER_S, conn, function() self.handler:on_done(conn, status) end)
end

function Model:route(conn, _, _, cookie)
	local client = self.clients[conn]
	client.cookie = cookie or client.cookie
	answer(self, conn, 200)
end

function Model:refuse(conn, status)
	if self.mode == "http" then return answer(self, conn, status) end
	later(self, 0, conn, function() self:hang_up(conn) end)
end

function Model:detach(conn)
	if self.mode == "http" then
		later(self, AGAIN_S, conn, function(client) ask(self, conn, client) end)
	end
end

function Model:drop(conn)
	later(self, 0, conn, function() self:hang_up(conn) end)
end

function Model:use() end
function Model:drain() end
function Model:stop_listening() end
function Model:close() end

return model
