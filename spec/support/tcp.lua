-- Connections for specs: reads and writes that wait, with deadlines.
--
--	t.connect{ host =, port = } or { unix = path } -> connection, or nil, err
--	t.listen(function(connection) end)               -> port, on 127.0.0.1
--	t.listen(function(connection) end, path)         on a unix socket -> the listener
--	t.wrap(stream)                                   -> connection, of a luv stream
--	t.free_port()                                    -> a port nobody listens on
--	c:write(data)                -> true, or nil, err
--	c:read(deadline_ms)          -> some bytes; nil at the end; nil, err
--	c:read_until(pattern)        -> all up to and with the pattern; else as read
--	c:read_exactly(n)            -> n bytes; else as read
--	c:read_all()                 -> all up to the end; else as read
--	c:hold(), c:resume()         reads nothing meanwhile
--	c:shutdown()                 sends the end, still reads
--	c:close(), c:reset()         the latter so that the peer sees ECONNRESET

local uv = require "luv"

local Connection = {}
Connection.__index = Connection
Connection.__name = "spec connection"

-- Starts to fill the buffer of a stream; wakes the reader.
local function wrap(t, stream)
	local self = setmetatable({ t = t, stream = stream, buffer = "" }, Connection)
	t.defer(function() self:close() end)
	self:resume()
	return self
end

function Connection:resume()
	self.stream:read_start(function(err, data)
		if data then self.buffer = self.buffer .. data else self.ended, self.err = true, err end
		local wake = self.wake
		self.wake = nil
		if wake then wake() end
	end)
end

function Connection:hold() self.stream:read_stop() end

-- Waits until more came; nil, err when nothing more will.
local function more(self, deadline_ms)
	if self.ended then return nil, self.err end
	local had = #self.buffer
	self.t.suspend("bytes from the connection", deadline_ms, function(wake) self.wake = wake end)
	if #self.buffer == had then return nil, self.err end
	return true
end

local function take(self, n)
	local data = self.buffer:sub(1, n)
	self.buffer = self.buffer:sub(n + 1)
	return data
end

function Connection:read(deadline_ms)
	if self.buffer == "" then
		local ok, err = more(self, deadline_ms)
		if not ok then return nil, err end
	end
	return take(self, #self.buffer)
end

function Connection:read_until(pattern, deadline_ms)
	while true do
		local _, last = self.buffer:find(pattern)
		if last then return take(self, last) end
		local ok, err = more(self, deadline_ms)
		if not ok then return nil, err end
	end
end

function Connection:read_exactly(n, deadline_ms)
	while #self.buffer < n do
		local ok, err = more(self, deadline_ms)
		if not ok then return nil, err end
	end
	return take(self, n)
end

function Connection:read_all(deadline_ms)
	local ok, err
	repeat ok, err = more(self, deadline_ms) until not ok
	if err then return nil, err end
	return take(self, #self.buffer)
end

function Connection:write(data, deadline_ms)
	local err = self.t.suspend("writing to the connection", deadline_ms, function(wake)
		local request, failure = self.stream:write(data, wake)
		if not request then wake(failure) end
	end)
	if err then return nil, err end
	return true
end

function Connection:shutdown() self.stream:shutdown() end

function Connection:close()
	if not self.stream:is_closing() then self.stream:close() end
end

function Connection:reset()
	if not self.stream:is_closing() then self.stream:close_reset() end
end

local function connect(t, options)
	local stream = options.unix and uv.new_pipe(false) or uv.new_tcp()
	local where = options.unix or (options.host or "127.0.0.1") .. ":" .. tostring(options.port)
	local ok, err = pcall(t.suspend, "the connection to " .. where, options.timeout_ms,
		function(wake)
			local request, failure
			if options.unix then
				request, failure = stream:connect(options.unix, wake)
			else
				local port = math.tointeger(tonumber(options.port))
				request, failure = stream:connect(options.host or "127.0.0.1", port, wake)
			end
			if not request then wake(failure) end
		end)
	if not ok or err then
		stream:close()
		if not ok then error(err, 2) end
		return nil, err
	end
	return wrap(t, stream)
end

local function listen(t, serve, path)
	local server = path and uv.new_pipe(false) or uv.new_tcp()
	t.defer(function()
		if not server:is_closing() then server:close() end
	end)
	if path then assert(server:bind(path)) else assert(server:bind("127.0.0.1", 0)) end
	assert(server:listen(128, function(err)
		assert(not err, err)
		local stream = path and uv.new_pipe(false) or uv.new_tcp()
		assert(server:accept(stream))
		t.background(serve, wrap(t, stream))
	end))
	return path and server or server:getsockname().port
end

local function free_port()
	local socket = uv.new_tcp()
	assert(socket:bind("127.0.0.1", 0))
	local port = socket:getsockname().port
	socket:close()
	return port
end

return function(t)
	function t.connect(options) return connect(t, options) end
	function t.wrap(stream) return wrap(t, stream) end
	function t.listen(serve, path) return listen(t, serve, path) end
	t.free_port = free_port
end
