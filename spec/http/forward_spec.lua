local http = require "gridcentric.spec_http"

local function onward(lines, cookie)
	return http.request(table.concat(lines, "\r\n") .. "\r\n\r\n", "192.0.2.7", cookie)
end

local function backward(lines, how, kind)
	return http.response(kind or "response", table.concat(lines, "\r\n") .. "\r\n\r\n",
		how or { keep_alive = true })
end

-- The fields of a head, without its first line, as a set name -> value.
local function fields(text)
	local set = {}
	for name, value in text:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
		name = name:lower()
		assert(not set[name], "twice: " .. name)
		set[name] = value
	end
	return set
end

describe("http_forward_request", function()
	it("writes the whole head", function()
		assert.equal(table.concat({
			"POST /a?b HTTP/1.1",
			"Host: example.org",
			"Accept: */*",
			"Content-Length: 3",
			"X-Forwarded-For: 192.0.2.7",
			"X-Forwarded-Proto: http",
			"X-Forwarded-Host: example.org",
			"Via: 1.1 gridcentric",
			"\r\n",
		}, "\r\n"), onward{ "POST /a?b HTTP/1.1", "Content-Length:3", "Accept:*/*",
			"Host:example.org" })
	end)

	it("leaves out what concerns one connection", function()
		local set = fields(onward{ "GET / HTTP/1.1", "Host: a", "Connection: close, X-Mine",
			"X-Mine: 1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: gzip",
			"Connection: X-Other", "X-Other: 2", "Upgrade: websocket", "X-Kept: 3" })
		for _, name in ipairs{ "connection", "x-mine", "keep-alive", "proxy-connection", "te",
			"x-other", "upgrade" } do
			assert.is_nil(set[name], name)
		end
		assert.equal("3", set["x-kept"])
	end)

	it("frames the message whatever Connection names", function()
		local set = fields(onward{ "POST / HTTP/1.1", "Host: a", "Content-Length: 5",
			"Connection: content-length, host" })
		assert.equal("5", set["content-length"])
		assert.equal("a", set.host)
		set = fields(onward{ "POST / HTTP/1.1", "Host: a", "Transfer-Encoding: CHUNKED",
			"Connection: transfer-encoding" })
		assert.equal("chunked", set["transfer-encoding"])
	end)

	it("replaces what the client says about itself", function()
		local set = fields(onward{ "GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 1.2.3.4",
			"X-Forwarded-Proto: https", "X-Forwarded-Port: 1", "X_Forwarded_For: 1.2.3.4",
			"Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "x_real-ip: 1.2.3.4",
			"Connection: X-Forwarded-For" })
		assert.equal("192.0.2.7", set["x-forwarded-for"])
		assert.equal("http", set["x-forwarded-proto"])
		for _, name in ipairs{ "x-forwarded-port", "x_forwarded_for", "forwarded", "x-real-ip",
			"x_real-ip" } do
			assert.is_nil(set[name], name)
		end
	end)

	it("takes out one cookie and keeps the others", function()
		local function cookies(value, name)
			return fields(onward({ "GET / HTTP/1.1", "Host: a", "Cookie: " .. value }, name)).cookie
		end
		assert.equal("a=1; b=2", cookies("a=1;sid=x; b=2", "sid"))
		assert.equal("b=2", cookies("sid=x; sid=y; b=2", "sid"))
		assert.is_nil(cookies("sid=x", "sid"))
		assert.equal("Sid=x; sidx=1; xsid=2", cookies("Sid=x; sidx=1; xsid=2", "sid"))
		assert.equal("a=1;sid=x", cookies("a=1;sid=x"))
	end)

	it("passes on the cookies of others byte for byte", function()
		for given, expected in pairs {
			['a="x;y"'] = 'a="x;y"',
			['a="x;y";sid=1;b="z ; ;w"'] = 'a="x;y";b="z ;w"',
			["a=1;b=2;;c=3"] = "a=1;b=2;;c=3",
			["a = 1  ;b=2; sid=x"] = "a = 1  ;b=2",
			["sid=x;a=1;  b=2"] = "a=1;  b=2",
			["sid=x; ;"] = false,
		} do
			local lines = { "GET / HTTP/1.1", "Host: a", "Cookie: " .. given }
			assert.equal(expected or nil, fields(onward(lines, "sid")).cookie)
		end
	end)

	it("has room for hundreds of small cookies", function()
		local list = {}
		for i = 1, 400 do list[i] = ("c%d=%d"):format(i, i) end
		local given = table.concat(list, ";")
		for _, value in ipairs { given, given .. ";sid=x", "sid=x;" .. given } do
			-- http.request() fails where what is written exceeds http_forward_room()
			local lines = { "GET / HTTP/1.1", "Host: a", "Cookie:" .. value }
			assert.equal(given, fields(onward(lines, "sid")).cookie)
		end
	end)

	it("drops fields that a program could take for framing or origin", function()
		for _, name in ipairs { "Transfer_Encoding", "Content_Length", "content.length",
			"X_Forwarded-For", "X.Forwarded.Host", "X_Real_IP", "Keep_Alive", "Proxy_Connection" } do
			local text = onward { "GET / HTTP/1.1", "Host: a", name .. ": 5", "X_Other: kept" }
			assert.is_nil(text:find(name, 1, true), name)
			assert.equal("kept", fields(text)["x_other"])
		end
	end)

	it("turns the absolute form into the origin form", function()
		local text = onward{ "GET http://b:81/c HTTP/1.1", "Host: a" }
		assert.matches("^GET /c HTTP/1.1\r\nHost: b:81\r\n", text)
		assert.matches("^GET /%?c HTTP/1.1\r\n", onward{ "GET http://b?c HTTP/1.1", "Host: a" })
		assert.matches("^OPTIONS %* HTTP/1.1\r\n", onward{ "OPTIONS http://b HTTP/1.1", "Host: a" })
	end)

	it("speaks 1.1 to the server for a client of 1.0", function()
		local text = onward{ "GET / HTTP/1.0", "Expect: 100-continue" }
		assert.matches("^GET / HTTP/1.1\r\nHost: \r\n", text)
		assert.equal("1.0 gridcentric", fields(text).via)
		assert.is_nil(fields(text).expect)
	end)

	it("passes on an upgrade, except one that hides requests", function()
		local function upgrade(value, ...)
			return fields(onward{ "GET / HTTP/1.1", "Host: a", "Connection: keep-alive, Upgrade",
				"Upgrade: " .. value, ... })
		end
		assert.equal("upgrade", upgrade("websocket").connection)
		assert.equal("websocket", upgrade("websocket").upgrade)
		for _, value in ipairs{ "h2c", "websocket, H2C", "TLS/1.2", "HTTP/2.0" } do
			assert.is_nil(upgrade(value).upgrade, value)
			assert.is_nil(upgrade(value).connection, value)
		end
		assert.is_nil(upgrade("websocket", "Content-Length: 1").upgrade)
	end)

	it("joins several Upgrade fields as a list", function()
		local function upgrade(...)
			return fields(onward { "GET / HTTP/1.1", "Host: a", "Connection: Upgrade", ... }).upgrade
		end
		assert.equal("a, websocket", upgrade("Upgrade: a", "Upgrade: websocket"))
		assert.equal("a, b, c", upgrade("Upgrade: a, b", "X: y", "upgrade: c"))
		assert.is_nil(upgrade("Upgrade: websocket", "Upgrade: h2c"))
	end)

	it("passes on that trailers are understood", function()
		local set = fields(onward{ "GET / HTTP/1.1", "Host: a", "TE: gzip, trailers" })
		assert.equal("trailers", set.te)
		assert.equal("TE", set.connection)
	end)
end)

describe("http_forward_response", function()
	it("writes the whole head", function()
		assert.equal(table.concat({
			"HTTP/1.1 200 Fine",
			"A: 1",
			"Content-Length: 3",
			"Set-Cookie: sid=1; HttpOnly",
			"Connection: close",
			"\r\n",
		}, "\r\n"), backward({ "HTTP/1.1 200 Fine", "Content-Length: 3", "A: 1",
			"Keep-Alive: timeout=5", "Connection: keep-alive" },
			{ set_cookie = "sid=1; HttpOnly", keep_alive = false }))
	end)

	it("tells the client whether the connection stays open", function()
		local ok = { "HTTP/1.1 200 OK", "Content-Length: 3" }
		assert.is_nil(fields(backward(ok)).connection)
		assert.equal("keep-alive",
			fields(backward(ok, { keep_alive = true, client_minor = 0 })).connection)
		assert.equal("close", fields(backward(ok, { keep_alive = false })).connection)
	end)

	it("keeps the length where there is no body", function()
		local lines = { "HTTP/1.1 304 Not Modified", "Content-Length: 3" }
		assert.equal("3", fields(backward(lines))["content-length"])
		lines = { "HTTP/1.1 200 OK", "Content-Length: 3" }
		assert.equal("3", fields(backward(lines, nil, "response-to-head"))["content-length"])
		lines = { "HTTP/1.1 204 No Content", "Content-Length: 0" }
		assert.is_nil(fields(backward(lines))["content-length"])
	end)

	it("names no coding to a client of 1.0", function()
		local lines = { "HTTP/1.1 200 OK", "Transfer-Encoding: chunked" }
		assert.equal("chunked", fields(backward(lines))["transfer-encoding"])
		local set = fields(backward(lines, { decoded = true, client_minor = 0 }))
		assert.is_nil(set["transfer-encoding"])
		assert.equal("close", set.connection)
		set = fields(backward(lines, { keep_alive = true, client_minor = 0 }, "response-to-head"))
		assert.is_nil(set["transfer-encoding"])
		set = fields(backward({ "HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked" },
			{ keep_alive = true, client_minor = 0 }))
		assert.is_nil(set["transfer-encoding"])
		assert.equal("keep-alive", set.connection)
	end)

	it("adds nothing to interim responses", function()
		assert.equal("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", backward(
			{ "HTTP/1.1 103 Early Hints", "Link: a" }, { set_cookie = "a=b", keep_alive = false }))
	end)

	it("passes on a switch of protocols, with the cookie", function()
		local set = fields(backward({ "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
			"Connection: Upgrade" }, { set_cookie = "a=b", keep_alive = true }))
		assert.same({ upgrade = "websocket", connection = "upgrade", ["set-cookie"] = "a=b" }, set)
		set = fields(backward({ "HTTP/1.1 426 Upgrade Required", "Upgrade: TLS/1.0",
			"Connection: Upgrade", "Content-Length: 0" }, { keep_alive = false }))
		assert.equal("upgrade, close", set.connection)
	end)
end)

describe("http_forward_answer", function()
	it("writes an answer", function()
		local text = http.answer(503, "no clone is ready", true, false)
		assert.matches("^HTTP/1.1 503 Service Unavailable\r\n", text)
		assert.equal("18", fields(text)["content-length"])
		assert.matches("\r\n\r\nno clone is ready\n$", text)
		assert.is_nil(fields(text).connection)
	end)

	it("tells a client of 1.0 what happens to its connection", function()
		local function connection(keep_alive)
			return fields(http.answer(502, "no", keep_alive, false, 0)).connection
		end
		assert.equal("keep-alive", connection(true))
		assert.equal("close", connection(false))
	end)

	it("has no body for HEAD", function()
		local text = http.answer(400, "bad", false, true)
		assert.matches("\r\n\r\n$", text)
		assert.equal("4", fields(text)["content-length"])
		assert.equal("close", fields(text).connection)
	end)
end)

describe("http_cookie", function()
	local function find(...)
		local lines = { "GET / HTTP/1.1", "Host: a" }
		for _, value in ipairs{ ... } do lines[#lines + 1] = "Cookie: " .. value end
		return http.head("request", table.concat(lines, "\r\n") .. "\r\n\r\n").cookie
	end

	it("finds a value among others", function()
		assert.equal("x", find("sid=x"))
		assert.equal("x=y", find("a=b; sid=x=y ;c=d"))
		assert.equal("x", find("a=b", "sid=x"))
		assert.equal("", find("sid="))
		assert.equal("first", find("sid=first; sid=second"))
	end)

	it("is not fooled by similar names", function()
		assert.is_nil(find("sid"))
		assert.is_nil(find("xsid=1; sidx=2; SID=3; =4; ;"))
		assert.is_nil(find())
	end)

	it("ignores values that no server sets", function()
		assert.equal("good", find("sid=b\"ad; sid=b,ad; sid=good"))
	end)
end)
