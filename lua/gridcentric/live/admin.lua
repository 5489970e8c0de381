-- A small HTTP server for operators and their tools.
--
--	local server, err = admin.open({ host = "127.0.0.1", port = 9400 }, {
--		["/metrics"] = function() return text, content_type end,
--	}, on_error)
--
-- It listens on an address or, with { path = "/run/x.sock" }, on a unix socket of mode 0600. Each
-- connection may send one GET, within limits of number, size and time, so that misuse harms nobody
-- else.

local close_handle = require "gridcentric.util.close"
local guard = require "gridcentric.util.guard"
local host_port = require "gridcentric.util.host_port"
local uv = require "luv"

local admin = {}

local MAX_CONNECTIONS = 16
local MAX_HEAD = 8 * 1024
local TIMEOUT_MS = 5000 -- from accepting to the last byte of the answer
-- Bytes of a unix socket's path. The kernel takes 107, and the socket is made under a longer name.
local MAX_PATH = 98

local REASONS = {
	[200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed",
	[431] = "Request Header Fields Too Large", [500] = "Internal Server Error",
	[503] = "Service Unavailable",
}

---@class gridcentric.AdminAddress: gridcentric.Address
---@field path string? of a unix socket; host and port are missing then

---@alias gridcentric.AdminPages table<string, fun(): string, string> path -> text, content type

---@class gridcentric.Admin
---@field address string where it listens
local Admin = { __name = "gridcentric.live.admin" }
Admin.__index = Admin

-- Answering --------------------------------------------------------------------------------------

local function close_client(self, client)
	local timer = self.clients[client]
	if not timer then return end
	self.clients[client] = nil
	self.nclients = self.nclients - 1
	timer:stop()
	close_handle(timer)
	close_handle(client)
end

local function send_answer(self, client, status, text, content_type)
	client:read_stop()
	local head = {
		("HTTP/1.1 %d %s"):format(status, REASONS[status]),
		"Content-Type: " .. (content_type or "text/plain; charset=utf-8"),
		"Content-Length: " .. #text,
		"Allow: GET",
		"Connection: close",
	}
	client:write { table.concat(head, "\r\n"), "\r\n\r\n", text }
	client:shutdown(function() close_client(self, client) end)
end

local function send_refusal(self, client, status)
	send_answer(self, client, status, REASONS[status] .. "\n")
end

local function serve(self, client, head)
	local method, path = head:match "^(%u+) (/[^%s?]*)%S* HTTP/1%.[01]\r\n"
	if not method then return send_refusal(self, client, 400) end
	local page = self.pages[path]
	if not page then return send_refusal(self, client, 404) end
	if method ~= "GET" then return send_refusal(self, client, 405) end
	local ok, text, content_type = guard.call(page)
	if ok then return send_answer(self, client, 200, text, content_type) end
	self.on_error("admin: " .. text)
	send_refusal(self, client, 500)
end

local function read_head(self, client)
	local head = ""
	client:read_start(function(err, data)
		if err or not data then return close_client(self, client) end
		head = head .. data
		if head:find("\r\n\r\n", 1, true) then return serve(self, client, head) end
		if #head > MAX_HEAD then send_refusal(self, client, 431) end
	end)
end

local function accept(self)
	local client = self.is_pipe and uv.new_pipe(false) or uv.new_tcp()
	if not self.listener:accept(client) then return close_handle(client) end
	local timer = uv.new_timer()
	self.clients[client] = timer
	self.nclients = self.nclients + 1
	timer:start(TIMEOUT_MS, 0, function() close_client(self, client) end)
	if self.nclients > MAX_CONNECTIONS then return send_refusal(self, client, 503) end
	read_head(self, client)
end

-- Listening --------------------------------------------------------------------------------------

-- The socket is made under another name and then renamed: it has its mode before anybody can
-- connect, replaces one that a killed process has left, and is not removed by luv, which would also
-- happen when a clone closes it.
local function bind_pipe(listener, path)
	if #path > MAX_PATH then
		return nil, ("the path of a unix socket has at most %d bytes"):format(MAX_PATH), "ENAMETOOLONG"
	end
	local temporary = ("%s.%d"):format(path, uv.os_getpid())
	local found = uv.fs_lstat(path)
	if found and found.type ~= "socket" then
		return nil, "there is a file of that name", "EEXIST"
	end
	local ok, err, code = listener:bind(temporary)
	if not ok then return nil, err, code end
	ok, err, code = uv.fs_chmod(temporary, tonumber("600", 8))
	if ok then ok, err, code = uv.fs_rename(temporary, path) end
	if not ok then uv.fs_unlink(temporary) end
	return ok, err, code
end

local function bind(listener, where)
	if where.path then return bind_pipe(listener, where.path) end
	return listener:bind(where.host, where.port)
end

---@param where gridcentric.AdminAddress
---@param pages gridcentric.AdminPages
---@param on_error fun(text: string) called with errors in a page
---@return gridcentric.Admin?
---@return string? err
---@return string? code
function admin.open(where, pages, on_error)
	local listener = where.path and uv.new_pipe(false) or uv.new_tcp()
	local self = setmetatable({
		listener = listener, is_pipe = where.path ~= nil, path = where.path, pages = pages,
		on_error = on_error, clients = {}, nclients = 0, pid = uv.os_getpid(),
	}, Admin)
	local ok, err, code = bind(listener, where)
	if ok then ok, err, code = listener:listen(MAX_CONNECTIONS, function() accept(self) end) end
	self.address = where.path and "unix:" .. where.path
		or host_port.show(where.host, where.port)
	if not ok then
		close_handle(listener)
		return nil, ("admin: cannot listen on %s: %s"):format(self.address, err), code
	end
	if not where.path then
		self.address = host_port.show(where.host, listener:getsockname().port)
	end
	self.inode = where.path and uv.fs_stat(where.path).ino
	return self
end

-- Removes the socket, unless another service has replaced it, or this is a clone of its maker.
local function remove_socket(self)
	if uv.os_getpid() ~= self.pid then return end
	local found = uv.fs_lstat(self.path)
	if found and found.ino == self.inode then uv.fs_unlink(self.path) end
end

---Ends it at once. May be called twice.
function Admin:close()
	if self.is_closed then return end
	self.is_closed = true
	close_handle(self.listener)
	if self.path then remove_socket(self) end
	for client in pairs(self.clients) do close_client(self, client) end
end

return admin
