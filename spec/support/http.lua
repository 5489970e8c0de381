-- An HTTP/1.1 client for specs.
--
--	t.http{ host =, port =, method =, path =, headers = { Name = value }, body =,
--		jar =, timeout_ms = }        -> response, or nil, err
--	t.http_connect{ host =, port = } -> a connection (tcp.lua) that also has
--	c:request{ method =, ... }       -> response, or nil, err; keeps the connection
--	c:send{ method =, ... }          the request only
--	c:head()                         -> response without body, for streams
--	c:body(response)                 -> reads it
--	c:chunk()                        -> one chunk; "" is the last
--
-- A response has status, reason, headers (small letters; of several the last),
-- header_list ({name, value} as they came), body. `jar` is a table of cookies, sent
-- and then brought up to date.

local function cookie_line(jar)
	local pairs_ = {}
	for name, value in pairs(jar) do pairs_[#pairs_ + 1] = name .. "=" .. value end
	return table.concat(pairs_, "; ")
end

local function request_text(options)
	local lines = {
		("%s %s HTTP/1.1"):format(options.method or "GET", options.path or "/"),
	}
	local headers = { Host = options.host or "127.0.0.1" }
	if options.body then headers["Content-Length"] = #options.body end
	if options.jar and next(options.jar) then headers.Cookie = cookie_line(options.jar) end
	for name, value in pairs(options.headers or {}) do headers[name] = value or nil end
	for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
	return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (options.body or "")
end

local function parse_head(text)
	local status, reason = text:match("^HTTP/1%.[01] (%d%d%d) ?([^\r\n]*)\r\n")
	if not status then error(("not a response head: %q"):format(text)) end
	local response = {
		status = math.tointeger(tonumber(status)), reason = reason,
		headers = {}, header_list = {},
	}
	for name, value in text:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
		response.headers[name:lower()] = value
		table.insert(response.header_list, { name, value })
	end
	return response
end

local function fill_jar(jar, response)
	for _, header in ipairs(response.header_list) do
		local name, value = header[2]:match("^%s*([^=;]+)=([^;]*)")
		if header[1]:lower() == "set-cookie" and name then jar[name] = value end
	end
end

local methods = {}

function methods:send(options)
	self.method, self.jar, self.timeout_ms = options.method, options.jar, options.timeout_ms
	return self:write(request_text(options), options.timeout_ms)
end

function methods:head()
	while true do
		local text, err = self:read_until("\r\n\r\n", self.timeout_ms)
		if not text then return nil, err or "EOF" end
		local response = parse_head(text)
		if self.jar then fill_jar(self.jar, response) end
		if response.status >= 200 or response.status == 101 then return response end
	end
end

function methods:chunk()
	local line, err = self:read_until("\r\n", self.timeout_ms)
	if not line then return nil, err or "EOF" end
	local size = assert(tonumber(line:match("^%x+"), 16), "not a chunk size: " .. line)
	if size == 0 then
		local trailer
		repeat trailer, err = self:read_until("\r\n", self.timeout_ms)
		until trailer == "\r\n" or not trailer
		if not trailer then return nil, err or "EOF" end
		return ""
	end
	local data
	data, err = self:read_exactly(size + 2, self.timeout_ms)
	if not data then return nil, err or "EOF" end
	return data:sub(1, size)
end

local function chunked_body(self)
	local parts = {}
	while true do
		local part, err = self:chunk()
		if not part then return nil, err end
		if part == "" then return table.concat(parts) end
		parts[#parts + 1] = part
	end
end

function methods:body(response)
	local headers, status = response.headers, response.status
	if self.method == "HEAD" or status == 204 or status == 304 or status == 101 then return "" end
	if (headers["transfer-encoding"] or ""):lower():find("chunked") then return chunked_body(self) end
	local length = tonumber(headers["content-length"])
	if not length then return self:read_all(self.timeout_ms) end
	local body, err = self:read_exactly(length, self.timeout_ms)
	if not body then return nil, err or "EOF" end
	return body
end

function methods:request(options)
	local ok, err = self:send(options)
	-- a server may answer before it took the whole request, so look anyway
	local response, read_err = self:head()
	if not response then return nil, not ok and err or read_err end
	response.body, err = self:body(response)
	if not response.body then return nil, err end
	return response
end

local function http_connect(t, options)
	local connection, err = t.connect(options)
	if not connection then return nil, err end
	for name, method in pairs(methods) do connection[name] = method end
	return connection
end

local function http(t, options)
	local connection, err = http_connect(t, options)
	if not connection then return nil, err end
	local ok, response, failure = pcall(connection.request, connection, options)
	connection:close()
	if not ok then error(response, 2) end
	return response, failure
end

return function(t)
	function t.http(options) return http(t, options) end
	function t.http_connect(options) return http_connect(t, options) end
end
