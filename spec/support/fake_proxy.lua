-- A proxy without sockets: a spec says what clients do, and sees where they are sent.
--
--	local proxy = fake_proxy.new()
--	local user = proxy:client()             one that keeps its cookie
--	user:request(target, agent)             a request on its open connection, or on a new one
--	user.at                                 the ip that the last one went to; nil: it waits
--	user.refused, user.refused_text         status and text of the proxy's own answer, if any
--	user.ndetached                          how often its connection to a server was given up
--	user:done(status, ms, code, detail)     the response is over (200, 1), or cut short by code
--	user:fail(repeatable, code, detail)     the clone does not answer ("ECONNREFUSED")
--	user:close()                            its connection is over
--	user:connect()                          tcp mode

local fake_proxy = {}

local Client = {}
Client.__index = Client

local Proxy = { address = "127.0.0.1:8080" }
Proxy.__index = Proxy

function fake_proxy.new()
	return setmetatable({ last_conn = 0, clients = {}, listening = true }, Proxy)
end

function Proxy:serve(handler) self.handler = handler end

function Proxy:client(options)
	local client = { proxy = self, ip = "192.0.2.1", keeps_cookies = true, nrouted = 0 }
	for key, value in pairs(options or {}) do client[key] = value end
	return setmetatable(client, Client)
end

local function open(client)
	local proxy = client.proxy
	client.at, client.refused = nil, nil
	if client.conn then return end
	proxy.last_conn = proxy.last_conn + 1
	client.conn = proxy.last_conn
	proxy.clients[client.conn] = client
end

function Client:connect()
	open(self)
	self.proxy.handler:on_connection(self.conn, self.ip)
end

function Client:request(target, agent)
	open(self)
	self.proxy.handler:on_request(self.conn, self.ip, {
		method = "GET", target = target or "/", host = "localhost", cookie = self.cookie,
		agent = agent,
	})
end

function Client:done(status, ms, code, detail)
	local proxy, conn = self.proxy, self.conn
	proxy.handler:on_done(conn, status or 200, ms or 1, code, detail)
	if proxy.draining then proxy:drop(conn) end
end

function Client:fail(repeatable, code, detail)
	self.at = nil
	self.proxy.handler:on_failure(self.conn, code or "ECONNREFUSED", repeatable, detail)
end

function Client:close()
	local conn = self.conn
	self.proxy.clients[conn], self.conn = nil, nil
	self.proxy.handler:on_close(conn)
end

function Proxy:route(conn, ip, port, cookie)
	local client = self.clients[conn]
	client.at, client.offered = ip, cookie
	client.nrouted = client.nrouted + 1
	if cookie and client.keeps_cookies then client.cookie = cookie end
end

function Proxy:refuse(conn, status, text)
	self.clients[conn].refused, self.clients[conn].refused_text = status, text
end

function Proxy:detach(conn)
	self.clients[conn].ndetached = (self.clients[conn].ndetached or 0) + 1
end

-- A real one reports the end later, not inside of the call.
function Proxy:drop(conn)
	self.dropped = self.dropped or {}
	table.insert(self.dropped, conn)
end

---Reports the end of the connections that were dropped.
function Proxy:turn()
	for _, conn in ipairs(self.dropped or {}) do self.clients[conn]:close() end
	self.dropped = nil
end

function Proxy:use(policy) self.policy = policy end
function Proxy:drain() self.draining = true end
function Proxy:stop_listening() self.listening = false end
function Proxy:close() self.closed = true end

return fake_proxy
