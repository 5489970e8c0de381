-- Fetches one page by HTTP on luv's loop, within limits of time and size.
--
--	local cancel = http_get({ host = "127.0.0.1", port = 9100, path = "/metrics" },
--		{ timeout = 1 }, function(body, err) ... end)
--
-- Made for metrics: it neither looks up names nor follows redirections. It speaks HTTP/1.0, so that
-- the answer comes unchunked and ends with its Content-Length or with the connection.

local close_handle = require "gridcentric.util.close"
local host_port = require "gridcentric.util.host_port"
local units = require "gridcentric.util.units"
local uv = require "luv"

local MAX_HEAD = 16 * 1024
local MAX_BODY = 1024 * 1024

---@class gridcentric.HttpTarget
---@field host string numeric
---@field port integer
---@field path string

---@class gridcentric.HttpLimits
---@field timeout number seconds for all of it
---@field max? integer bytes of the body (1 MB)

local function request_text(target)
	return table.concat {
		"GET ", target.path, " HTTP/1.0\r\n",
		"Host: ", host_port.show(target.host, target.port), "\r\n",
		"Accept: text/plain;version=0.0.4,*/*;q=0.1\r\n",
		"User-Agent: gridcentric\r\n",
		"Connection: close\r\n\r\n",
	}
end

-- Returns the length of the body, or false if the body ends with the connection; or nil and what is
-- wrong with the head.
local function read_head(head)
	local status, reason = head:match "^HTTP/1%.[01] (%d%d%d) ?([^\r\n]*)"
	if not status then return nil, "the answer is not HTTP" end
	if status ~= "200" then return nil, ("status %s %s"):format(status, reason) end
	local length
	for name, value in head:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
		name = name:lower()
		if name == "transfer-encoding" then return nil, "the answer is in chunks" end
		if name == "content-length" then length = math.tointeger(tonumber(value)) end
	end
	return length or false
end

-- Returns the body once it is complete, nil until then, and nil with an error if it never will be.
local function body_of(text, at_end, max)
	local head_end = select(2, text:find("\r\n\r\n", 1, true))
	if not head_end then
		if at_end then return nil, "the connection closed before the answer" end
		return nil, #text > MAX_HEAD and "the head of the answer is too long" or nil
	end
	local length, err = read_head(text:sub(1, head_end))
	if length == nil then return nil, err end
	local has = #text - head_end
	if (length or has) > max then return nil, ("more than %d bytes"):format(max) end
	if length and has >= length then return text:sub(head_end + 1, head_end + length) end
	if not at_end then return nil end
	if length then return nil, "the connection closed within the answer" end
	return text:sub(head_end + 1)
end

local Get = { __name = "gridcentric.http_get" }
Get.__index = Get

-- Returns false where it was closed before.
function Get:close()
	if self.is_closed then return false end
	self.is_closed = true
	self.timer:stop()
	close_handle(self.socket)
	close_handle(self.timer)
	return true
end

function Get:finish(body, err)
	if self:close() then self.callback(body, err) end
end

function Get:on_data(err, data)
	if err then return self:finish(nil, err) end
	self.text = self.text .. (data or "") -- most answers come in a few pieces
	local body, wrong = body_of(self.text, not data, self.max)
	if body or wrong then self:finish(body, wrong) end
end

function Get:on_connected(err)
	if err then return self:finish(nil, err) end
	self.socket:write(request_text(self.target))
	self.socket:read_start(function(...) self:on_data(...) end)
end

---Fetches a page.
---@param target gridcentric.HttpTarget
---@param limits gridcentric.HttpLimits
---@param callback fun(body: string?, err: string?) called once, later; must not raise
---@return fun() cancel then the callback is not called; harmless afterwards
return function(target, limits, callback)
	local get = setmetatable({
		target = target,
		max = limits.max or MAX_BODY,
		callback = callback,
		socket = uv.new_tcp(),
		timer = uv.new_timer(),
		text = "",
	}, Get)
	get.timer:start(math.ceil(limits.timeout * 1000), 0, function()
		get:finish(nil, "no answer within " .. units.show(limits.timeout, "s"))
	end)
	local ok, err = get.socket:connect(target.host, target.port,
		function(...) get:on_connected(...) end)
	if not ok then get.timer:start(0, 0, function() get:finish(nil, err) end) end
	return function() get:close() end
end
