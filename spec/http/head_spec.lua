local http = require "gridcentric.spec_http"

local function request(lines, limits)
	return http.head("request", table.concat(lines, "\r\n") .. "\r\n\r\n", limits)
end

local function response(lines)
	return http.head("response", table.concat(lines, "\r\n") .. "\r\n\r\n")
end

-- What is refused: name, the whole text, status.
local line = "GET / HTTP/1.1\r\n"
local get = line .. "Host: a\r\n"
local post = "POST / HTTP/1.1\r\nHost: a\r\n"
local refused_requests = {
	-- framing (RFC 9112 section 6)
	{ "length beside chunked", post .. "Content-Length: 1\r\nTransfer-Encoding: chunked", 400 },
	{ "chunked beside length", post .. "Transfer-Encoding: chunked\r\nContent-Length: 1", 400 },
	{ "two lengths", post .. "Content-Length: 1\r\nContent-Length: 2", 400 },
	{ "two equal lengths", post .. "Content-Length: 1\r\nContent-Length: 1", 400 },
	{ "two lengths of nothing", post .. "Content-Length: 0\r\nContent-Length: 0", 400 },
	{ "a list of lengths", post .. "Content-Length: 1, 2", 400 },
	{ "a list of equal lengths", post .. "Content-Length: 1, 1", 400 },
	{ "a length with a plus sign", post .. "Content-Length: +1", 400 },
	{ "a length with a minus sign", post .. "Content-Length: -1", 400 },
	{ "an empty length", post .. "Content-Length:", 400 },
	{ "a hexadecimal length", post .. "Content-Length: 0x10", 400 },
	{ "a length with a blank in it", post .. "Content-Length: 1 0", 400 },
	{ "a length that overflows", post .. "Content-Length: 9223372036854775808", 400 },
	{ "a length that overflows far", post .. "Content-Length: 18446744073709551617", 400 },
	{ "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked", 400 },
	{ "two codings", post .. "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400 },
	{ "chunked twice", post .. "Transfer-Encoding: chunked, chunked", 400 },
	{ "chunked not last", post .. "Transfer-Encoding: chunked, gzip", 400 },
	{ "a coding that is not chunked", post .. "Transfer-Encoding: identity", 400 },
	{ "a coding that only looks like chunked", post .. "Transfer-Encoding: xchunked", 400 },
	{ "chunked with a parameter", post .. "Transfer-Encoding: chunked;q=1", 400 },
	{ "chunked in quotes", post .. "Transfer-Encoding: \"chunked\"", 400 },
	{ "chunked behind a vertical tab", post .. "Transfer-Encoding: \vchunked", 400 },
	{ "an empty coding", post .. "Transfer-Encoding:", 400 },
	{ "a coding beside chunked", post .. "Transfer-Encoding: gzip, chunked", 501 },
	{ "an empty item before chunked", post .. "Transfer-Encoding: , chunked", 501 },
	-- lines
	{ "a bare LF behind the request line", "GET / HTTP/1.1\nHost: a", 400 },
	{ "a bare LF behind a field", line .. "Host: a\nB: 1", 400 },
	{ "a bare LF as the empty line", get .. "\nGET / HTTP/1.1", 400 },
	{ "a bare CR in a field", get .. "B: 1\rC: 2", 400 },
	{ "a bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a", 400 },
	{ "a NUL in a value", get .. "B: 1\0", 400 },
	{ "a NUL in a name", get .. "B\0: 1", 400 },
	{ "a control byte in a value", get .. "B: \1", 400 },
	{ "a DEL in a value", get .. "B: \127", 400 },
	{ "a folded line", get .. "B: 1\r\n 2", 400 },
	{ "a line folded with a tab", get .. "B: 1\r\n\t2", 400 },
	{ "a blank before the first field", line .. " Host: a", 400 },
	{ "a blank before the colon", get .. "B : 1", 400 },
	{ "a tab before the colon", get .. "B\t: 1", 400 },
	{ "an empty field name", get .. ": 1", 400 },
	{ "a field without a colon", get .. "B", 400 },
	{ "an invalid byte in a name", get .. "B(: 1", 400 },
	{ "a name beyond ASCII", get .. "B\u{e4}: 1", 400 },
	-- Host
	{ "no Host in HTTP/1.1", line .. "B: 1", 400 },
	{ "no fields in HTTP/1.1", "GET / HTTP/1.1", 400 },
	{ "two Hosts", get .. "Host: b", 400 },
	{ "two equal Hosts", get .. "Host: a", 400 },
	{ "a Host with a blank", line .. "Host: a b", 400 },
	{ "a list of Hosts", line .. "Host: a, b", 400 },
	{ "a Host with a path", line .. "Host: a/b", 400 },
	{ "a Host with user information", line .. "Host: u@a", 400 },
	{ "a Host with a bad port", line .. "Host: a:b", 400 },
	{ "a Host with a port out of range", line .. "Host: a:65536", 400 },
	{ "a Host with an open bracket", line .. "Host: [::1", 400 },
	{ "a Host with empty brackets", line .. "Host: []", 400 },
	{ "a Host that no DNS knows", line .. "Host: " .. ("a"):rep(301), 400 },
	-- request line
	{ "two spaces before the target", "GET  / HTTP/1.1\r\nHost: a", 400 },
	{ "two spaces behind the target", "GET /  HTTP/1.1\r\nHost: a", 400 },
	{ "a space at the end", "GET / HTTP/1.1 \r\nHost: a", 400 },
	{ "a space at the start", " GET / HTTP/1.1\r\nHost: a", 400 },
	{ "a tab for a space", "GET\t/\tHTTP/1.1\r\nHost: a", 400 },
	{ "a space in the target", "GET /a b HTTP/1.1\r\nHost: a", 400 },
	{ "no version", "GET /\r\nHost: a", 400 },
	{ "an empty version", "GET / \r\nHost: a", 400 },
	{ "no target", "GET HTTP/1.1\r\nHost: a", 400 },
	{ "a method only", "GET", 400 },
	{ "a method with invalid bytes", "G(T / HTTP/1.1\r\nHost: a", 400 },
	{ "an empty line twice", "\r\n\r\n" .. get, 400 },
	{ "a version in small letters", "GET / http/1.1\r\nHost: a", 400 },
	{ "another protocol", "GET / HTTQ/1.1\r\nHost: a", 400 },
	{ "a version with two digits", "GET / HTTP/1.10\r\nHost: a", 400 },
	{ "a version without minor", "GET / HTTP/2\r\nHost: a", 400 },
	{ "HTTP/2.0", "GET / HTTP/2.0\r\nHost: a", 505 },
	{ "the preface of HTTP/2", "PRI * HTTP/2.0", 505 },
	{ "HTTP/0.9 in full", "GET / HTTP/0.9\r\nHost: a", 505 },
	{ "a TLS handshake", "\22\3\1\2\0\1\0\1\252\3\3", 400 },
	-- target
	{ "a relative target", "GET a HTTP/1.1\r\nHost: a", 400 },
	{ "a fragment", "GET /a#b HTTP/1.1\r\nHost: a", 400 },
	{ "a target beyond ASCII", "GET /\u{e4} HTTP/1.1\r\nHost: a", 400 },
	{ "a NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a", 400 },
	{ "an asterisk for GET", "GET * HTTP/1.1\r\nHost: a", 400 },
	{ "an authority", "GET a:80 HTTP/1.1\r\nHost: a", 400 },
	{ "another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a", 400 },
	{ "a URL without host", "GET http:///a HTTP/1.1\r\nHost: a", 400 },
	{ "a URL with user information", "GET http://u@a/ HTTP/1.1\r\nHost: a", 400 },
	{ "CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80", 501 },
	-- further
	{ "a target that is too long", "GET /" .. ("a"):rep(8192) .. " HTTP/1.1\r\nHost: a", 414 },
	{ "a request line that is too long", "GET /" .. ("a"):rep(16384), 414 },
	{ "a head that is too long", get .. "B: " .. ("a"):rep(16384), 431 },
	{ "too many fields", line .. ("B: 1\r\n"):rep(101) .. "Host: a", 431 },
}

local refused_responses = {
	{ "a status of two digits", "HTTP/1.1 20 OK" },
	{ "a status of four digits", "HTTP/1.1 2000 OK" },
	{ "a status with a sign", "HTTP/1.1 +20 OK" },
	{ "a status below 100", "HTTP/1.1 099 Old" },
	{ "no status", "HTTP/1.1" },
	{ "another version", "HTTP/2.0 200 OK" },
	{ "another protocol", "ICY 200 OK" },
	{ "a control byte in the reason", "HTTP/1.1 200 \1" },
	{ "length beside chunked", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked" },
	{ "chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked" },
	{ "a folded line", "HTTP/1.1 200 OK\r\nB: 1\r\n 2" },
	{ "a bare LF", "HTTP/1.1 200 OK\nB: 1" },
	{ "a head that is too long", "HTTP/1.1 200 OK\r\nB: " .. ("a"):rep(16384) },
}

describe("http_head refuses", function()
	for _, case in ipairs(refused_requests) do
		local name, text, status = table.unpack(case)
		it(name .. " with " .. status, function()
			local head = http.head("request", text .. "\r\n\r\n")
			assert.equal("bad", head.result)
			assert.equal(status, head.status, head.why)
			assert.is_string(head.why)
		end)
	end
	for _, case in ipairs(refused_responses) do
		it(case[1] .. " in a response", function()
			local head = http.head("response", case[2] .. "\r\n\r\n")
			assert.equal("bad", head.result)
			assert.equal(502, head.status)
		end)
	end
	it("what is not HTTP by its first byte", function()
		assert.equal("bad", http.head("request", "\22").result)
		assert.equal("bad", http.head("response", "<").result)
	end)
end)

-- Targets that are accepted: method, target, path, host.
local targets = {
	{ "GET", "/", "/", "h" },
	{ "GET", "//a", "//a", "h" },
	{ "GET", "/a?b={c}|\"d\"", "/a?b={c}|\"d\"", "h" },
	{ "GET", "http://a:81/b?c", "/b?c", "a:81" },
	{ "GET", "HTTPS://[::1]:443", "/", "[::1]:443" },
	{ "GET", "http://a?b", "?b", "a" },
	{ "OPTIONS", "*", "*", "h" },
	{ "OPTIONS", "http://a", "*", "a" },
}

-- Framing of responses: kind, head, framing.
local framings = {
	{ "response", "200 OK\r\nContent-Length: 5", "length" },
	{ "response", "200 OK\r\nContent-Length: 0", "none" },
	{ "response", "200 OK\r\nTransfer-Encoding: Chunked", "chunked" },
	{ "response", "200 OK", "until close" },
	{ "response", "204 No Content", "none" },
	{ "response", "304 Not Modified\r\nContent-Length: 5", "none" },
	{ "response", "100 Continue", "none" },
	{ "response", "101 Switching Protocols", "none" },
	{ "response-to-head", "200 OK\r\nContent-Length: 5", "none" },
	{ "response-to-head", "200 OK\r\nTransfer-Encoding: chunked", "none" },
	{ "response-to-head", "200 OK", "none" },
}

-- Connection of requests: version, field, goes on.
local connections = {
	{ "1.1", "", true },
	{ "1.1", "close", false },
	{ "1.1", "Keep-Alive, CLOSE", false },
	{ "1.0", "", false },
	{ "1.0", "Keep-Alive", true },
	{ "1.0", "keep-alive, close", false },
}

describe("http_head", function()
	it("finds the parts of a request", function()
		local text = "GET /a?b HTTP/1.1\r\nHost: example.org:80\r\nA:  1 2\t\r\nB:\r\n\r\nrest"
		local head = http.head("request", text)
		assert.equal("done", head.result)
		assert.equal(#text - 4, head.len)
		assert.equal("GET", head.method)
		assert.equal("/a?b", head.target)
		assert.equal("example.org:80", head.host)
		assert.equal(1, head.minor)
		assert.equal("none", head.framing)
		assert.same({ "Host: example.org:80", "A: 1 2", "B: " }, head.fields)
	end)

	it("finds the parts of a response", function()
		local head = response{ "HTTP/1.1 404 Not  Found", "Content-Length: 12" }
		assert.equal(404, head.status)
		assert.equal("Not  Found", head.reason)
		assert.equal(12, head.content_length)
		assert.equal("", response{ "HTTP/1.1 200" }.reason)
		assert.equal("", response{ "HTTP/1.1 200 " }.reason)
	end)

	it("needs more until the empty line has come", function()
		local text = get .. "\r\n"
		for len = 0, #text - 1 do
			assert.equal("more", http.head("request", text:sub(1, len)).result)
		end
		assert.equal("done", http.head("request", text).result)
	end)

	it("passes over one empty line before a request", function()
		assert.equal("done", http.head("request", "\r\n" .. get .. "\r\n").result)
		assert.equal("bad", http.head("response", "\r\nHTTP/1.1 200 OK\r\n\r\n").result)
	end)

	it("keeps to the limits to the byte", function()
		local text = get .. "\r\n"
		assert.equal("done", http.head("request", text, { head_len = #text }).result)
		assert.equal(431, http.head("request", text, { head_len = #text - 1 }).status)
		assert.equal("done", http.head("request", text, { target_len = 1, nfields = 1 }).result)
		assert.equal(414, request({ "GET /a HTTP/1.1", "Host: a" }, { target_len = 1 }).status)
		assert.equal(431, request({ "GET / HTTP/1.1", "Host: a", "B: 1" }, { nfields = 1 }).status)
	end)

	for _, case in ipairs(targets) do
		local method, target, path, host = table.unpack(case)
		it("reads the target of " .. method .. " " .. target, function()
			local head = request{ method .. " " .. target .. " HTTP/1.1", "Host: h" }
			assert.equal("done", head.result, head.why)
			assert.equal(path, head.path)
			assert.equal(host, head.host)
		end)
	end

	for _, host in ipairs{ "", "a", "a:", "a:80", "1.2.3.4", "[::1]", "[::ffff:1.2.3.4]:80", "a_b" } do
		it("accepts the Host '" .. host .. "'", function()
			assert.equal(host, request{ "GET / HTTP/1.1", "Host: " .. host }.host)
		end)
	end

	for _, case in ipairs(framings) do
		local kind, text, framing = table.unpack(case)
		it(("frames %s as %s (%s)"):format(text:gsub("\r\n", ", "), framing, kind), function()
			assert.equal(framing, http.head(kind, "HTTP/1.1 " .. text .. "\r\n\r\n").framing)
		end)
	end

	it("frames requests", function()
		assert.equal("length", http.head("request", post .. "Content-Length: 007\r\n\r\n").framing)
		assert.equal("none", http.head("request", post .. "Content-Length: 0\r\n\r\n").framing)
		assert.equal("none", http.head("request", post .. "\r\n").framing)
		assert.equal("chunked",
			http.head("request", post .. "transfer-encoding:CHUNKED\r\n\r\n").framing)
		assert.equal(math.maxinteger,
			http.head("request", post .. "Content-Length: 9223372036854775807\r\n\r\n").content_length)
	end)

	for _, case in ipairs(connections) do
		local version, value, goes_on = table.unpack(case)
		it(("%s after HTTP/%s, Connection: %s"):format(
			goes_on and "goes on" or "closes", version, value), function()
			local head = request{ "GET / HTTP/" .. version, "Host: a", "Connection: " .. value }
			assert.equal(goes_on, head.keep_alive)
		end)
	end

	it("takes a later minor version for 1.1", function()
		assert.equal(1, request{ "GET / HTTP/1.7", "Host: a" }.minor)
		assert.equal(0, request{ "GET / HTTP/1.0" }.minor)
	end)

	it("sees Upgrade only where Connection names it", function()
		local function upgrade(version, connection)
			return request{ "GET / HTTP/" .. version, "Host: a", "Upgrade: websocket",
				"Connection: " .. connection }.upgrade
		end
		assert.equal("websocket", upgrade("1.1", "keep-alive, Upgrade"))
		assert.is_nil(upgrade("1.1", "keep-alive"))
		assert.is_nil(upgrade("1.0", "upgrade"))
	end)

	it("sees 100-continue only where a body follows", function()
		local expect = "Expect: 100-Continue\r\n"
		assert.is_true(http.head("request",
			post .. expect .. "Content-Length: 1\r\n\r\n").expects_continue)
		assert.is_false(http.head("request", post .. expect .. "\r\n").expects_continue)
		assert.is_false(http.head("request", "POST / HTTP/1.0\r\n" .. expect
			.. "Content-Length: 1\r\n\r\n").expects_continue)
	end)
end)
