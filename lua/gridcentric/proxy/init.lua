-- The proxy, Lua's side: the core frames and moves bytes, and asks for each request (http) or
-- connection (tcp) where it is to go; whoever serves it here answers with route() or refuse().
--
--	local proxy, err = proxy.open(policy, on_error)
--	proxy:serve(handler)
--
-- What it calls, in this order for one connection: on_connection (tcp) or on_request (http);
-- on_failure when the server could not be reached or did not answer; on_done when a response, also
-- one of refuse(), went out in full (http); on_close. See controller/traffic.lua.
-- There is one proxy in a process.

local async = require "gridcentric.platform.async"
local core = require "gridcentric.core"
local guard = require "gridcentric.util.guard"
local host_port = require "gridcentric.util.host_port"
local uv = require "luv"

local proxy = {}

---@class gridcentric.Proxy
---@field address string where it listens, "127.0.0.1:8080"
---@field cookie string name of the session's cookie
local Proxy = { __name = "gridcentric.Proxy" }
Proxy.__index = Proxy

---@class gridcentric.ProxyHandler
---@field on_connection fun(self, conn: integer, ip: string)
---@field on_request fun(self, conn: integer, ip: string, request: gridcentric.Request)
---@field on_failure fun(self, conn: integer, why: string, repeatable: boolean, timed_out: boolean)
---@field on_done fun(self, conn: integer, status: integer, ms: integer?) no ms: its own response
---@field on_close fun(self, conn: integer)

---@class gridcentric.Request
---@field method string
---@field target string
---@field host string
---@field cookie string? of the session, as the client sent it
---@field header string? value of the field that the policy's route looks at

-- Names of a policy's limits as the core has them.
local NUMBERS = { connections = "max_connections", head = "max_head", body = "max_body" }
local TIMES = { "head", "idle", "connect", "response", "stall", "tunnel" }

local function core_options(policy, cookie)
	local o = {
		mode = policy.mode,
		cookie = policy.sticky == "cookie" and cookie or nil,
		field = policy.route.header,
	}
	for name, core_name in pairs(NUMBERS) do o[core_name] = policy.limits[name] end
	for _, name in ipairs(TIMES) do
		local seconds = policy.limits[name .. "_timeout"]
		o[name .. "_timeout_ms"] = seconds and math.ceil(seconds * 1000)
	end
	return o
end

local function why_not(err, code)
	local text = "cannot " .. err:gsub("^%w+: ", "") -- it begins with "listen on ADDRESS"
	if code == "EACCES" then
		return text .. "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE:"
			.. " choose a higher one, or see setcap(8)"
	end
	if code == "EADDRINUSE" then return text .. "; another program listens there" end
	return text
end

---Listens. Who connects waits until serve().
---@param policy gridcentric.Policy
---@param on_error fun(text: string) told of errors in the handler
---@return gridcentric.Proxy?
---@return string? err
---@return string? code
function proxy.open(policy, on_error)
	local listen = policy.listen
	-- Browsers keep one set of cookies for all ports of a host. Port 0 is not known yet.
	local cookie = listen.port > 0 and ("gridcentric-%d"):format(listen.port)
		or ("gridcentric-p%d"):format(uv.os_getpid())
	local handle = core.new_proxy(async.core(), core_options(policy, cookie))
	local ok, err, code = handle:listen(listen.host, listen.port)
	if not ok then
		handle:close()
		return nil, why_not(err, code), code
	end
	return setmetatable({
		handle = handle,
		on_error = on_error,
		address = host_port.show(handle:address()),
		cookie = cookie,
	}, Proxy)
end

-- Calls handler for each event of a kind. Where that fails, nobody will answer: the connection
-- ends.
local function deliver(self, kind, fn)
	async.on(kind, function(_, conn, ...)
		local ok, err = guard.call(fn, conn, ...)
		if ok then return end
		self.on_error(err)
		if not self.closed then self.handle:drop(conn) end
	end)
end

---Tells handler what comes from now on.
---@param handler gridcentric.ProxyHandler
function Proxy:serve(handler)
	deliver(self, "proxy_conn", function(conn, ip) handler:on_connection(conn, ip) end)
	deliver(self, "proxy_request", function(conn, ip, method, target, host, cookie, field)
		handler:on_request(conn, ip,
			{ method = method, target = target, host = host, cookie = cookie, header = field })
	end)
	deliver(self, "proxy_failed", function(conn, reason, repeatable)
		handler:on_failure(conn, reason, repeatable, reason == "ETIMEDOUT")
	end)
	deliver(self, "proxy_done", function(conn, status, ms)
		handler:on_done(conn, status, ms >= 0 and ms or nil)
	end)
	deliver(self, "proxy_closed", function(conn) handler:on_close(conn) end)
end

-- A connection that is over is no error: its on_close is on the way.
local function check(self, ok, err, code)
	if not ok and code ~= "ENOENT" then self.on_error("proxy: " .. err) end
end

---Goes by another policy from now on, which has the same mode and `sticky`.
---@param policy gridcentric.Policy
function Proxy:use(policy)
	check(self, self.handle:configure(core_options(policy, self.cookie)))
end

---Sends what waits on this connection to a server.
---@param conn integer
---@param ip string
---@param port integer
---@param session_key string? for the client to keep as its cookie
function Proxy:route(conn, ip, port, session_key)
	local cookie = session_key
		and ("%s=%s; Path=/; HttpOnly; SameSite=Lax"):format(self.cookie, session_key)
	check(self, self.handle:route(conn, ip, port, cookie))
end

---Answers a request; resets a tcp connection.
---@param conn integer
---@param status integer 400 to 599
---@param text string one line
function Proxy:refuse(conn, status, text)
	check(self, self.handle:refuse(conn, status, text))
end

---Keeps no connection to a server for this client, once what is under way on it is over.
---@param conn integer
function Proxy:detach(conn)
	check(self, self.handle:detach(conn))
end

---Ends a connection at once.
---@param conn integer
function Proxy:drop(conn)
	check(self, self.handle:drop(conn))
end

---Takes in no new connections.
function Proxy:stop_listening()
	self.handle:stop_listening()
end

---Ends all connections; nothing more is told. Harmless when done twice.
function Proxy:close()
	self.closed = true
	self.handle:close()
end

return proxy
