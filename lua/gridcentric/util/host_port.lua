-- Addresses as people write them: "127.0.0.1:8080", "[::1]:8080". Pure.

local types = require "gridcentric.util.types"

local host_port = {}

---@class gridcentric.Address
---@field host string numeric
---@field port integer

local function is_ipv4(text)
	local bytes = { text:match "^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$" }
	for _, byte in ipairs(bytes) do
		if tonumber(byte) > 255 then return false end
	end
	return #bytes == 4
end

-- Counts the groups of 16 bits in a part of an IPv6 address; nil if it is malformed.
local function count_groups(text)
	if text == "" then return 0 end
	local n = 0
	for group, colon in text:gmatch "([^:]*)(:?)" do
		local is_embedded = colon == "" and is_ipv4(group)
		if not is_embedded and not group:find "^%x%x?%x?%x?$" then return nil end
		n = n + (is_embedded and 2 or 1)
	end
	return n
end

-- "::" stands for one or more groups of zeros.
local function is_ipv6(text)
	local before, behind = text:match "^(.-)::(.*)$"
	if not before then return count_groups(text) == 8 end
	local n, m = count_groups(before), count_groups(behind)
	return n ~= nil and m ~= nil and n + m < 8 and not before:find(".", 1, true)
end

-- Returns the numeric form of a host, or nil. Names are not looked up: a lookup would block.
local function numeric_host(host)
	if host == "localhost" or host == "" then return "127.0.0.1" end
	if host == "*" then return "0.0.0.0" end
	local inner = host:match "^%[(.*)%]$"
	if inner then return is_ipv6(inner) and inner or nil end
	return is_ipv4(host) and host or nil
end

---The check of a type: "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "*:8080" (every IPv4
---address), ":8080" and 8080 (loopback). Port 0 stands for a free port.
---@return gridcentric.Address?
---@return string? err
function host_port.read(value)
	local host, port = "", value
	if type(value) == "string" and not value:find "^%d+$" then
		host, port = value:match "^(.*):(%d+)$"
	end
	host, port = host and numeric_host(host), math.tointeger(tonumber(port))
	if host and port and port >= 0 and port <= 65535 then return { host = host, port = port } end
	return types.mismatch('a port or "host:port" with a numeric host', value)
end

---The opposite of read().
---@param host string numeric
---@param port integer
---@return string
function host_port.show(host, port)
	return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

return host_port
