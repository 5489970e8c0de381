-- Lua's side of the proxy. The core frames and moves bytes, and asks for each request (http) or
-- connection (tcp) where it is to go. The handler answers with route() or refuse().
--
--	local listener, err = proxy.open(policy, on_error)
--	listener:serve(handler)
--
-- The handler's functions are called in this order for each connection: on_connection (tcp) or
-- on_request (http); on_failure when the server could not be reached or did not answer; on_done
-- when a request is over (http), also one that refuse() has answered; on_close at the end. See
-- controller/traffic.lua. There is one proxy in a process.

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
---@field on_failure fun(self, conn: integer, code: string, repeatable: boolean, detail: string?)
--- code: the name of the error, as "ECONNREFUSED"; detail: what was wrong with the response
---@field on_done fun(self, conn: integer, status: integer, ms: integer?, code: string?,
--- detail: string?) ms: nil for the proxy's own response; code: what cut the response short
---@field on_close fun(self, conn: integer)

---@class gridcentric.Request
---@field method string
---@field target string
---@field host string
---@field cookie string? of the session, as the client sent it
---@field header string? value of the field that the policy's route looks at
---@field agent string? value of User-Agent, if the policy looks at it

-- Names of a policy's limits in the core.
local NUMBERS = {
	connections = "max_connections", head = "max_head", response_head = "max_response_head",
	body = "max_body",
}
local TIMES = { "head", "idle", "connect", "response", "stall", "tunnel" }

local function core_options(policy, cookie)
	local o = {
		mode = policy.mode,
		cookie = policy.sticky == "cookie" and cookie or nil,
		field = policy.route.header,
		agent = policy.ignore and policy.ignore.agent and true,
	}
	for name, core_name in pairs(NUMBERS) do o[core_name] = policy.limits[name] end
	for _, name in ipairs(TIMES) do
		local seconds = policy.limits[name .. "_timeout"]
		o[name .. "_timeout_ms"] = seconds and math.ceil(seconds * 1000)
	end
	return o
end

local function cannot_listen(err, code)
	local text = "cannot " .. err:gsub("^%w+: ", "") -- err goes on with "listen on ADDRESS"
	if code == "EACCES" then
		return text .. "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE:"
			.. " choose a higher one, or see setcap(8)"
	end
	if code == "EADDRINUSE" then return text .. "; another program listens there" end
	return text
end

---Listens. Clients wait until serve().
---@param policy gridcentric.Policy
---@param on_error fun(text: string) called with errors in the handler
---@return gridcentric.Proxy?
---@return string? err
---@return string? code
function proxy.open(policy, on_error)
	local listen = policy.listen
	-- Browsers share cookies between the ports of a host. Of port 0 the number is not known yet.
	local cookie = listen.port > 0 and ("gridcentric-%d"):format(listen.port)
		or ("gridcentric-p%d"):format(uv.os_getpid())
	local handle = core.new_proxy(async.core(), core_options(policy, cookie))
	local ok, err, code = handle:listen(listen.host, listen.port)
	if not ok then
		handle:close()
		return nil, cannot_listen(err, code), code
	end
	return setmetatable({
		handle = handle,
		on_error = on_error,
		address = host_port.show(handle:address()),
		cookie = cookie,
	}, Proxy)
end

-- Calls fn for each event of a kind. Where it fails, nobody will answer, so the connection ends.
local function deliver(self, kind, fn)
	async.on(kind, function(_, conn, ...)
		local ok, err = guard.call(fn, conn, ...)
		if ok then return end
		self.on_error(err)
		if not self.closed then self.handle:drop(conn) end
	end)
end

---Passes events to the handler from now on.
---@param handler gridcentric.ProxyHandler
function Proxy:serve(handler)
	deliver(self, "proxy_conn", function(conn, ip) handler:on_connection(conn, ip) end)
	deliver(self, "proxy_request", function(conn, ip, method, target, host, cookie, field, agent)
		handler:on_request(conn, ip, {
			method = method, target = target, host = host, cookie = cookie, header = field,
			agent = agent,
		})
	end)
	deliver(self, "proxy_failed", function(conn, code, repeatable, detail)
		handler:on_failure(conn, code, repeatable, detail)
	end)
	deliver(self, "proxy_done", function(conn, status, ms, code, detail)
		handler:on_done(conn, status, ms >= 0 and ms or nil, code, detail)
	end)
	deliver(self, "proxy_closed", function(conn) handler:on_close(conn) end)
end

-- That a connection is over is no error: its on_close is on the way.
local function report_error(self, ok, err, code)
	if not ok and code ~= "ENOENT" then self.on_error("proxy: " .. err) end
end

---Uses another policy from now on, which has the same mode and `sticky`.
---@param policy gridcentric.Policy
function Proxy:use(policy)
	report_error(self, self.handle:configure(core_options(policy, self.cookie)))
end

---Sends the request or connection that waits to a server.
---@param conn integer
---@param ip string
---@param port integer
---@param session_key string? for the client to keep as its cookie
function Proxy:route(conn, ip, port, session_key)
	local cookie = session_key
		and ("%s=%s; Path=/; HttpOnly; SameSite=Lax"):format(self.cookie, session_key)
	report_error(self, self.handle:route(conn, ip, port, cookie))
end

---Answers a request; resets a tcp connection.
---@param conn integer
---@param status integer 400 to 599
---@param text string one line
function Proxy:refuse(conn, status, text)
	report_error(self, self.handle:refuse(conn, status, text))
end

---Closes the connection to a server that is kept for this client, once it is idle.
---@param conn integer
function Proxy:detach(conn)
	report_error(self, self.handle:detach(conn))
end

---Ends a connection at once.
---@param conn integer
function Proxy:drop(conn)
	report_error(self, self.handle:drop(conn))
end

---Accepts no new connections.
function Proxy:stop_listening()
	self.handle:stop_listening()
end

---Ends each connection with the response that is under way, or with the next one, which says so.
---Idle connections end after a moment. Connections in tcp mode go on.
function Proxy:drain()
	self.handle:drain()
end

---Ends all connections, without further events. May be called twice.
function Proxy:close()
	self.closed = true
	self.handle:close()
end

return proxy
