local uv = require "luv"
local real_proxy = require "spec.support.real_proxy"

-- Runs body(t, p, server) with a proxy that sends everything to one server.
local function run(answer, body, options, run_options)
	real_proxy.run(options or { cookie = "sid" }, function(t, p)
		local server
		p.to, server = p:serve(answer)
		body(t, p, server)
	end, run_options)
end

local function response(body, fields)
	return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s"):format(#body, fields or "", body)
end

-- Answers with the request's target.
local function name_target(c, head)
	c:write(response(head:match("^%S+ (%S+)")))
end

local function get(path, fields)
	return ("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"):format(path, fields or "")
end

local function field(head, name)
	return head:lower():match("\r\n" .. name:lower():gsub("%-", "%%-") .. ": ([^\r]*)")
end

-- Waits for a turn of the loop.
local function turn(t)
	local turns = 0
	t.wait_until(function()
		turns = turns + 1
		return turns == 2
	end)
end

-- Bytes that do not repeat soon.
local function noise(len)
	local parts = {}
	for i = 1, len // 8 do parts[i] = ("%08x"):format(i * 2654435761 & 0xffffffff) end
	return table.concat(parts)
end

describe("the proxy in http mode", function()
	it("keeps both connections between requests", function()
		run(name_target, function(t, p, server)
			local c = t.http_connect { port = p.port }
			for i = 1, 5 do assert.equal("/" .. i, c:request({ path = "/" .. i }).body) end
			assert.equal(1, server.accepted)
			for i = 1, 5 do
				local event = p:next "request"
				assert.equal("/" .. i, event.target)
				assert.equal("GET", event.method)
				assert.equal("127.0.0.1", event.host)
				assert.equal("127.0.0.1", event.ip)
				assert.is_nil(event.cookie)
				assert.equal(200, p:next("done").status)
			end
			c:close()
			local closed = p:next "closed"
			assert.is_true(closed.received > 0 and closed.sent > 0)
		end)
	end)

	it("answers pipelined requests in order", function()
		run(name_target, function(t, p)
			local c = t.http_connect { port = p.port }
			local requests = {}
			for i = 1, 200 do requests[i] = get("/" .. i) end
			c:write(table.concat(requests))
			for i = 1, 200 do assert.equal("/" .. i, c:body(c:head())) end
			assert.equal(200, p:count "request")
		end)
	end)

	it("reads a request that comes byte by byte", function()
		run(name_target, function(t, p)
			local c = t.http_connect { port = p.port }
			for byte in get("/slow"):gmatch(".") do
				c:write(byte)
				turn(t)
			end
			assert.equal("/slow", c:body(c:head()))
		end)
	end)

	it("tells the owner's cookie and hides it from the server", function()
		run(function(c, head) c:write(response(field(head, "cookie"))) end, function(t, p)
			local answer = t.http { port = p.port, headers = { Cookie = "a=1; sid=x.y; b=2" } }
			assert.equal("a=1; b=2", answer.body)
			assert.equal("x.y", p:next("request").cookie)
		end)
	end)

	it("says where a client comes from and adds a cookie to its response", function()
		run(function(c, head) c:write(response(field(head, "x-forwarded-for"))) end, function(t, p)
			local server = p.to
			p.to = nil
			local c = t.http_connect { port = p.port }
			c:send { headers = { ["X-Forwarded-For"] = "1.2.3.4" } }
			assert(p.proxy:route(p:next("request").conn, "127.0.0.1", server, "sid=1; HttpOnly"))
			local answer = c:head()
			assert.equal("127.0.0.1", c:body(answer))
			assert.equal("sid=1; HttpOnly", answer.headers["set-cookie"])
			p.to = server
			assert.is_nil(c:request({}).headers["set-cookie"])
		end)
	end)

	describe("relays", function()
		it("long contents both ways", function()
			local data = noise(3000000)
			run(function(c, head)
				c:write(response(c:read_exactly(tonumber(field(head, "content-length")))))
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				for _ = 1, 2 do
					local answer = c:request { method = "POST", body = data }
					assert.is_true(answer.body == data)
				end
			end)
		end)

		it("chunks both ways as they are", function()
			local chunks = "5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n"
			run(function(c, head)
				assert.equal("chunked", field(head, "transfer-encoding"))
				assert.equal(chunks, c:read_exactly(#chunks))
				c:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks)
			end, function(t, p, server)
				local c = t.http_connect { port = p.port }
				for _ = 1, 2 do
					c:write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks)
					assert.equal("chunked", c:head().headers["transfer-encoding"])
					assert.equal(chunks, c:read_exactly(#chunks))
				end
				assert.equal(1, server.accepted)
			end)
		end)

		it("chunks whose sizes the server has padded", function()
			local chunks = "5 ;ext=a\r\nhello\r\n1  \r\n!\r\n0 \r\n\r\n"
			run(function(c)
				c:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks)
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:send {}
				c:head()
				assert.equal(chunks, c:read_exactly(#chunks))
				assert.equal(200, p:next("done").status)
			end)
		end)

		it("trailers, except those by which a client could pose as another", function()
			run(function(c, head)
				if head:find "^POST" then
					c:write(response(c:read_until "\r\n\r\n" .. ""))
				else
					name_target(c, head)
				end
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				local trailers = "A: 1\r\nX-Forwarded-For: 192.0.2.1\r\nHost: b\r\n"
					.. "Content_Length: 5\r\nB: 2\r\n\r\n"
				local text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
					.. "1\r\nx\r\n0\r\n" .. trailers .. get "/next"
				-- at once, and in pieces that end anywhere
				for _, step in ipairs { #text, 7 } do
					for at = 1, #text, step do
						c:write(text:sub(at, at + step - 1))
						turn(t)
					end
					assert.equal("1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", c:body(c:head()))
					assert.equal("/next", c:body(c:head()))
				end
			end)
		end)

		it("a stream of events, each as it comes", function()
			local seen
			run(function(c)
				c:write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
				for i = 1, 20 do
					seen = nil
					c:write("data: " .. i .. "\n\n")
					c.t.wait_until(function() return seen end, nil, "the event at the client")
				end
				c:close()
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:send {}
				assert.equal("close", c:head().headers.connection)
				for i = 1, 20 do
					assert.equal("data: " .. i .. "\n\n", c:read_until "\n\n")
					seen = true
				end
				assert.equal("", c:read_all())
			end)
		end)

		it("responses without content", function()
			local answers = {
				["/head"] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
				["/204"] = "HTTP/1.1 204 No Content\r\n\r\n",
				["/304"] = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
				["/0"] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			}
			run(function(c, head) c:write(answers[head:match(" (%S+)")]) end, function(t, p, server)
				local c = t.http_connect { port = p.port }
				assert.equal("5", c:request({ method = "HEAD", path = "/head" }).headers["content-length"])
				assert.equal(204, c:request({ path = "/204" }).status)
				assert.equal("5", c:request({ path = "/304" }).headers["content-length"])
				assert.equal("", c:request({ path = "/0" }).body)
				assert.equal(1, server.accepted)
			end)
		end)

		it("a response that ends with its connection", function()
			local data = noise(100000)
			run(function(c)
				c:write("HTTP/1.1 200 OK\r\n\r\n" .. data)
				c:close()
			end, function(t, p, server)
				for i = 1, 2 do
					local answer = t.http { port = p.port }
					assert.equal("close", answer.headers.connection)
					assert.is_true(answer.body == data)
					assert.equal(i, server.accepted)
				end
			end)
		end)

		it("100-continue, and what comes after it", function()
			run(function(c, head)
				assert.equal("100-continue", field(head, "expect"))
				c:write "HTTP/1.1 100 Continue\r\n\r\n"
				c:write(response(c:read_exactly(5)))
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
				assert.equal("HTTP/1.1 100 Continue\r\n\r\n", c:read_until "\r\n\r\n")
				c:write "hello"
				assert.equal("hello", c:body(c:head()))
			end)
		end)

		it("several interim responses in one piece with the final one", function()
			local hints = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
			run(function(c) c:write(hints .. hints .. response "x") end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:send {}
				assert.equal(hints, c:read_until "\r\n\r\n")
				assert.equal(hints, c:read_until "\r\n\r\n")
				assert.equal("x", c:body(c:head()))
			end)
		end)

		it("a websocket", function()
			run(function(c, head)
				assert.equal("upgrade", field(head, "connection"))
				assert.equal("websocket", field(head, "upgrade"))
				c:write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
					.. "Upgrade: websocket\r\n\r\nfirst")
				for _ = 1, 3 do c:write(c:read_exactly(4)) end
				c:shutdown()
				assert.equal("end", c:read_all())
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write(get("/ws", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"))
				local answer = c:head()
				assert.equal(101, answer.status)
				assert.equal("upgrade", answer.headers.connection)
				assert.equal("first", c:read_exactly(5))
				for _ = 1, 3 do
					c:write "\1\2\0\r"
					assert.equal("\1\2\0\r", c:read_exactly(4))
				end
				assert.equal("", c:read_all())
				c:write "end"
				c:shutdown()
				p:next "closed"
			end)
		end)

		it("an upgrade that is offered in two fields", function()
			run(function(c, head)
				assert.equal("other, websocket", field(head, "upgrade"))
				c:write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
					.. "Upgrade: websocket\r\n\r\n")
				assert.equal("end", c:read_all())
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write(get("/ws", "Connection: Upgrade\r\nUpgrade: other\r\nUpgrade: websocket\r\n"))
				assert.equal(101, c:head().status)
				c:write "end"
				c:shutdown()
				p:next "closed"
			end)
		end)

		it("a websocket whose server speaks at once and at length", function()
			local long = ("x"):rep(60000)
			run(function(c)
				c:write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
					.. "Upgrade: websocket\r\n\r\n" .. long)
				assert.equal("end", c:read_all())
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
				assert.equal(101, c:head().status)
				assert.equal(long, c:read_exactly(#long))
				c:write "end"
				c:shutdown()
				p:next "closed"
			end)
		end)

		it("an upgrade that is declined", function()
			run(name_target, function(t, p)
				local c = t.http_connect { port = p.port }
				for _ = 1, 2 do
					c:write(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
					assert.equal("/ws", c:body(c:head()))
				end
			end)
		end)
	end)

	describe("with clients of HTTP/1.0", function()
		it("closes after the response, or keeps what has a length", function()
			run(name_target, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
				local answer = c:head()
				assert.equal("keep-alive", answer.headers.connection)
				assert.equal("/1", c:body(answer))
				c:write "GET /2 HTTP/1.0\r\n\r\n"
				assert.equal("close", c:head().headers.connection)
				assert.equal("/2", c:read_all())
			end)
		end)

		it("names no coding where there is no body either", function()
			run(function(c, head)
				local status = head:find "^HEAD" and "200 OK" or "304 Not Modified"
				c:write("HTTP/1.1 " .. status .. "\r\nTransfer-Encoding: chunked\r\n\r\n")
			end, function(t, p)
				for _, method in ipairs { "HEAD", "GET" } do
					local c = t.http_connect { port = p.port }
					c:write(method .. " / HTTP/1.0\r\n\r\n")
					assert.is_nil(c:head().headers["transfer-encoding"])
					assert.equal("", c:read_all())
				end
			end)
		end)

		it("takes chunks apart and holds interim responses back", function()
			run(function(c)
				c:write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
					.. "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
				c:write "4\r\ndefg\r\n0\r\n\r\n"
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
				local answer = c:head()
				assert.is_nil(answer.headers["transfer-encoding"])
				assert.equal("close", answer.headers.connection)
				assert.equal("abcdefg", c:read_all())
			end)
		end)
	end)

	describe("answers by itself", function()
		local cases = {
			{ "what is malformed", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400 },
			{ "what is not HTTP", "\22\3\1\2", 400 },
			{ "another version", "GET / HTTP/2.0\r\n\r\n", 505 },
			{ "a head that is too long", get("/", ("A: b\r\n"):rep(90) .. "B: " .. ("c"):rep(600)), 431 },
			{ "a target that is too long", get("/" .. ("a"):rep(1024)), 414 },
			{ "a content that is too long",
				"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\nabc", 413 },
			{ "chunks that are too long", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				.. "3e9\r\n" .. ("a"):rep(1001), 413 },
			{ "malformed chunks",
				"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\n", 400 },
		}
		for _, case in ipairs(cases) do
			local name, text, status = table.unpack(case)
			it(name .. " with " .. status .. ", and closes", function()
				run(function() end, function(t, p)
					local c = t.http_connect { port = p.port }
					c:write(text)
					local answer = c:head()
					assert.equal(status, answer.status)
					assert.equal("close", answer.headers.connection)
					c:body(answer)
					assert.equal("", c:read_all())
				end, { max_head = 1024, max_body = 1000 })
			end)
		end

		it("HEAD without a body, also where the head is malformed, too long or late", function()
			run(function() end, function(t, p)
				for text, status in pairs {
					["HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"] = 400,
					["\r\nHEAD / HTTP/1.1\r\nA B\r\n\r\n"] = 400,
					["HEAD /" .. ("a"):rep(2000)] = 414,
					["HEAD / HTTP/1.1\r\n" .. ("A: b\r\n"):rep(200)] = 431,
					["HEAD / HTTP/1.1\r\nHost"] = 408,
				} do
					local c = t.http_connect { port = p.port }
					c:write(text)
					assert.equal(status, c:head().status)
					assert.equal("", c:read_all())
				end
			end, { max_head = 1024, head_timeout_ms = 50 })
		end)

		it("clients of HTTP/1.0 with what becomes of the connection", function()
			run(function() end, function(t, p)
				p.to = nil
				local c = t.http_connect { port = p.port }
				for _ = 1, 2 do
					c:write "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
					assert(p.proxy:refuse(p:next("request").conn, 503, "come back later"))
					local answer = c:head()
					assert.equal("keep-alive", answer.headers.connection)
					assert.equal("come back later\n", c:body(answer))
				end
				c:write "GET / HTTP/1.0\r\n\r\n"
				assert(p.proxy:refuse(p:next("request").conn, 502, "no"))
				assert.equal("close", c:head().headers.connection)
				assert.equal("no\n", c:read_all())
			end)
		end)

		it("a bad request behind a good one, after its response", function()
			run(name_target, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write(get "/1" .. "nonsense\n")
				assert.equal("/1", c:body(c:head()))
				assert.equal(400, c:head().status)
				local done = p:next "done"
				assert.equal(200, done.status)
				c:close()
				p:next "closed"
				assert.equal(1, p:count "done")
			end)
		end)

		it("a response whose head is too long with 502, by a limit of its own", function()
			local long = ("x"):rep(700)
			run(function(c) c:write(response("ok", "X-Long: " .. long .. "\r\n")) end, function(t, p)
				local c = t.http_connect { port = p.port }
				assert.equal(long, c:request({}).headers["x-long"])
				p.proxy:configure { cookie = "sid", max_head = 512, max_response_head = 700 }
				c:send {}
				local event = p:next "failed"
				assert.same({ "EPROTO", "the head is too long" }, { event.reason, event.detail })
				p.proxy:refuse(event.conn, 502, "no")
				assert.equal(502, c:head().status)
			end, { max_head = 512 })
		end)

		it("a head that takes too long with 408, silence with nothing", function()
			run(name_target, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "GET / HT"
				assert.equal(408, c:head().status)
				c = t.http_connect { port = p.port }
				assert.equal("", c:read_all())
			end, { head_timeout_ms = 50, idle_timeout_ms = 50 })
		end)

		it("nothing to a client that sends on and on during an endless response", function()
			run(function(c) c:write "HTTP/1.1 200 OK\r\n\r\nabc" end, function(t, p)
				local c = t.http_connect { port = p.port }
				t.go(function() c:write(get "/" .. ("x"):rep(10000000)) end)
				c:head()
				p:next "closed"
			end, { stall_timeout_ms = 50 })
		end)

		it("a content that takes too long with 408", function()
			run(function() end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
				assert.equal(408, c:head().status)
				assert.equal("", c:read_all():match "\n(.*)$")
			end, { stall_timeout_ms = 50 })
		end)
	end)

	describe("when the server fails", function()
		it("asks again before a response has begun", function()
			run(name_target, function(t, p)
				local good = p.to
				p.to = t.free_port()
				local c = t.http_connect { port = p.port }
				c:send { method = "POST", path = "/1", body = "abc" }
				local event = p:next "failed"
				assert.equal("ECONNREFUSED", event.reason)
				assert.is_true(event.repeatable)
				assert(p.proxy:route(event.conn, "127.0.0.1", good))
				assert.equal("/1", c:body(c:head()))
			end)
		end)

		-- What a server does with a request: then whether it may be repeated.
		local failures = {
			{ "closes before it answers a GET", get "/", "ECONNRESET", true,
				function(c) c:close() end },
			{ "resets instead of answering a GET", get "/", "ECONNRESET", true,
				function(c) c:reset() end },
			{ "closes in the middle of a head", get "/", "ECONNRESET", false, function(c)
				c:write "HTTP/1.1 200 OK\r\nContent-"
				c:close()
			end },
			{ "closes in the middle of a status line", get "/", "ECONNRESET", false, function(c)
				c:write "HTTP/1.1 2"
				c:close()
			end },
			{ "resets after the first byte of an answer to DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
				"ECONNRESET", false, function(c)
					c:write "H"
					c:reset()
				end },
			{ "closes before it answers a POST",
				"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "ECONNRESET", false,
				function(c) c:close() end },
			{ "closes before it answers a POST without content",
				"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "ECONNRESET", false, function(c) c:close() end },
			{ "answers a GET with nonsense", get "/", "EPROTO", false,
				function(c) c:write "nonsense" end, "this is not HTTP" },
			{ "answers a GET with two lengths", get "/", "EPROTO", false,
				function(c) c:write "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" end,
				"several Content-Length fields" },
			{ "switches protocols unasked", get "/", "EPROTO", false, function(c)
				c:write "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
			end, "it switches protocols unasked" },
			{ "begins with a malformed chunk", get "/", "EPROTO", false,
				function(c) c:write "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n" end,
				"malformed chunked coding" },
			{ "begins with a malformed chunk behind an interim response", get "/", "EPROTO", false,
				function(c)
					c:write("HTTP/1.1 103 Early Hints\r\n\r\n"
						.. "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
				end, "malformed chunked coding" },
			{ "does not answer in time", get "/", "ETIMEDOUT", false, function() end },
			{ "closes after an interim response", get "/", "ECONNRESET", false, function(c)
				c:write "HTTP/1.1 103 Early Hints\r\n\r\n"
				c:close()
			end },
		}
		for _, case in ipairs(failures) do
			local name, text, reason, repeatable, serve, detail = table.unpack(case)
			it("reports that it " .. name, function()
				run(serve, function(t, p)
					local c = t.http_connect { port = p.port }
					c:write(text)
					local event = p:next "failed"
					assert.equal(reason, event.reason)
					assert.equal(repeatable, event.repeatable)
					assert.equal(detail, event.detail)
					if not repeatable then
						assert.equal("EINVAL", select(3, p.proxy:route(event.conn, "127.0.0.1", p.to)))
					end
					assert(p.proxy:refuse(event.conn, 502, "no answer"))
					local answer = c:head()
					assert.equal(502, answer.status)
					assert.equal("no answer\n", c:body(answer))
					assert.equal(502, p:next("done").status)
				end, { response_timeout_ms = 50 })
			end)
		end

		it("resets the client's connection in the middle of a response", function()
			run(function(c)
				c:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
				c:close()
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:send {}
				local answer = c:head()
				local body, err = c:body(answer)
				assert.is_nil(body)
				assert.is_string(err)
				local done = p:next "done"
				assert.same({ 200, "ECONNRESET" }, { done.status, done.reason })
				p:next "closed"
			end)
		end)

		it("reports a malformed chunk in the middle of a response, and resets the client", function()
			run(function(c)
				c:write "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
				c.t.wait_until(function() return c.seen end)
			end, function(t, p)
				local server
				p.to, server = p:serve(function(c)
					c:write "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
					server = c
				end)
				local c = t.http_connect { port = p.port }
				c:send {}
				c:head()
				assert.equal("abc", c:chunk())
				server:write "nonsense\r\n"
				assert.same({ nil, "ECONNRESET" }, { c:read() })
				local done = p:next "done"
				assert.same({ 200, "EPROTO", "malformed chunked coding" },
					{ done.status, done.reason, done.detail })
			end)
		end)

		it("sends a request again only where not a byte was answered", function()
			for answered, executions in pairs { [""] = 3, ["HTTP/1.1 2"] = 1, ["\r"] = 1 } do
				run(function(c)
					if answered ~= "" then c:write(answered) end
					c:close()
				end, function(t, p, server)
					local c = t.http_connect { port = p.port }
					c:write "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"
					for i = 1, executions do
						local event = p:next "failed"
						if not event.repeatable or i == 3 then
							assert(p.proxy:refuse(event.conn, 502, "no"))
						else
							assert(p.proxy:route(event.conn, "127.0.0.1", p.to))
						end
					end
					assert.equal(502, c:head().status)
					assert.equal(executions, server.accepted)
				end)
			end
		end)

		it("renews a kept connection that the server closed in silence", function()
			run(function(c, head, n)
				if n == 2 then return c:close() end
				name_target(c, head)
			end, function(t, p, server)
				local c = t.http_connect { port = p.port }
				for i = 1, 3 do assert.equal("/" .. i, c:request({ path = "/" .. i }).body) end
				assert.equal(3, server.accepted)
				assert.equal(0, p:count "failed")
			end)
		end)

		it("renews a kept connection for a POST if it is seen to be closed", function()
			run(function(c, head)
				name_target(c, head)
				c:close()
			end, function(t, p, server)
				local c = t.http_connect { port = p.port }
				for i = 1, 3 do
					local answer = c:request { method = "POST", path = "/" .. i, body = "abc" }
					assert.equal("/" .. i, answer.body)
					t.wait_until(function() return p.proxy:counts().upstreams == 0 end)
				end
				assert.equal(3, server.accepted)
			end)
		end)

		it("gives the client a response that came before the whole request", function()
			run(function(c)
				c:write "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
				c:close()
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" .. noise(100000))
				local answer = c:head()
				assert.equal(403, answer.status)
				assert.equal("close", answer.headers.connection)
				assert.equal("no", c:body(answer))
			end)
		end)
	end)

	describe("routes", function()
		it("a request that was held, with what came meanwhile", function()
			run(function(c, head)
				c:write(response(c:read_exactly(tonumber(field(head, "content-length")))))
			end, function(t, p)
				local server = p.to
				p.to = nil
				local c = t.http_connect { port = p.port }
				local data = noise(200000)
				c:write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
				local event = p:next "request"
				assert.equal(1, p.proxy:counts().waiting)
				local writing = t.go(function() c:write(data) end)
				t.wait_until(function() return not writing end)
				assert(p.proxy:route(event.conn, "127.0.0.1", server))
				assert.is_true(c:body(c:head()) == data)
				assert.equal(0, p.proxy:counts().waiting)
			end)
		end)

		it("each request anew, over one connection to a server at a time", function()
			run(name_target, function(t, p, first)
				local second_port, second = p:serve(name_target)
				local c = t.http_connect { port = p.port }
				c:request {}
				p.to = second_port
				c:request {}
				c:request {}
				assert.same({ 1, 1 }, { first.accepted, second.accepted })
				assert.equal(1, p.proxy:counts().upstreams)
			end)
		end)

		it("nothing for a client that is gone", function()
			run(name_target, function(t, p)
				p.to = nil
				local c = t.http_connect { port = p.port }
				c:send {}
				local conn = p:next("request").conn
				c:close()
				assert.equal(conn, p:next("closed").conn)
				assert.same({ nil, "ENOENT: route: No such file or directory", "ENOENT" },
					{ p.proxy:route(conn, "127.0.0.1", 1) })
			end)
		end)

		it("nothing for a client that is gone while its buffer is full", function()
			run(name_target, function(t, p)
				p.to = nil
				local c = t.http_connect { port = p.port }
				c:write(get "/" .. ("x"):rep(60000))
				p:next "request"
				c:close()
				p:next "closed"
			end)
		end)

		it("tells a server that its client is gone", function()
			local gone
			run(function(c)
				assert.is_nil(c:read())
				gone = true
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:send {}
				p:next "request"
				c:close()
				p:next "closed"
				t.wait_until(function() return gone end)
			end)
		end)
	end)

	it("refuses with a status, and goes on", function()
		run(name_target, function(t, p)
			local server = p.to
			p.to = nil
			local c = t.http_connect { port = p.port }
			for _, method in ipairs { "GET", "HEAD" } do
				c:send { method = method }
				assert(p.proxy:refuse(p:next("request").conn, 503, "come back later"))
				local answer = c:head()
				assert.equal(503, answer.status)
				assert.equal("16", answer.headers["content-length"])
				assert.equal(method == "GET" and "come back later\n" or "", c:body(answer))
			end
			p.to = server
			assert.equal("/", c:request({}).body)
			c:send { method = "POST", body = "abc" }
			p.to = nil
		end)
	end)

	it("closes after it refused a request whose content is still to come", function()
		run(name_target, function(t, p)
			p.to = nil
			local c = t.http_connect { port = p.port }
			c:write "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
			assert(p.proxy:refuse(p:next("request").conn, 503, "no"))
			local answer = c:head()
			assert.equal("close", answer.headers.connection)
			assert.equal("no\n", c:read_all())
		end)
	end)

	it("detaches a client from its server, at once or after the response", function()
		local answer_now
		run(function(c, head)
			c.t.wait_until(function() return answer_now end)
			name_target(c, head)
		end, function(t, p, server)
			local c = t.http_connect { port = p.port }
			answer_now = true
			c:request {}
			local conn = p:next("request").conn
			assert.equal(1, p.proxy:counts().upstreams)
			assert(p.proxy:detach(conn))
			assert.equal(0, p.proxy:counts().upstreams)
			answer_now = false
			c:send { path = "/2" }
			p:next "request"
			assert(p.proxy:detach(conn))
			answer_now = true
			assert.equal("/2", c:body(c:head()))
			t.wait_until(function() return p.proxy:counts().upstreams == 0 end)
			assert.equal("/3", c:request({ path = "/3" }).body)
			assert.equal(3, server.accepted)
		end)
	end)

	it("holds little of a long response for a slow reader", function()
		local total, written = 20000000, 0
		local piece = noise(100000)
		run(function(c)
			c:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(total))
			while written < total do
				c:write(piece)
				written = written + #piece
			end
		end, function(t, p)
			local c = t.http_connect { port = p.port }
			real_proxy.pause(c)
			c:send {}
			local memory = uv.resident_set_memory()
			assert.is_true(real_proxy.settle(t, function() return written end) < total)
			assert.is_true(uv.resident_set_memory() - memory < 4000000)
			real_proxy.resume(c)
			local got = 0
			c:read_until "\r\n\r\n"
			while got < total do got = got + #c:read() end
			assert.equal(total, got)
		end, nil)
	end)

	it("holds little of an endless series of interim responses", function()
		local hint = "HTTP/1.1 103 Early Hints\r\nLink: " .. ("x"):rep(200) .. "\r\n\r\n"
		local piece, written, total = hint:rep(400), 0, 30000000
		run(function(c)
			while written < total do
				if not c:write(piece) then return end
				written = written + #piece
			end
			c:write(response "done")
		end, function(t, p)
			local c = t.http_connect { port = p.port }
			real_proxy.pause(c)
			c:send {}
			local memory = uv.resident_set_memory()
			assert.is_true(real_proxy.settle(t, function() return written end) < total)
			assert.is_true(uv.resident_set_memory() - memory < 4000000)
			real_proxy.resume(c)
			assert.equal("done", c:body(c:head()))
		end, nil, { timeout_ms = 60000 })
	end)

	describe("response_timeout", function()
		-- Waits for what comes of a request that the server never answers, while `disturb` is called.
		local function is_not_renewed(serve, text, disturb)
			run(serve, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write(text)
				p:next "request"
				local event
				t.go(function() event = p:next "failed" end)
				t.wait_until(function()
					if not event and disturb then disturb(c) end
					return event
				end)
				assert.equal("ETIMEDOUT", event.reason)
			end, { response_timeout_ms = 200, stall_timeout_ms = 100000 })
		end

		it("is not renewed by bytes of the client", function()
			is_not_renewed(function() end, get "/", function(c) c.stream:write "x" end)
		end)

		it("is not renewed by interim responses", function()
			is_not_renewed(function(c)
				while not c.ended and not c.stream:is_closing() do
					c.stream:write "HTTP/1.1 102 Processing\r\n\r\n"
					turn(c.t)
				end
			end, get "/")
		end)

		it("begins when the request has been sent", function()
			run(function(c, head)
				c:write(response(c:read_exactly(tonumber(field(head, "content-length")))))
			end, function(t, p)
				local c = t.http_connect { port = p.port }
				c:write "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
				local began = uv.now()
				t.wait_until(function() return uv.now() - began > 300 end)
				c:write "0123456789"
				assert.equal("0123456789", c:body(c:head()))
			end, { response_timeout_ms = 100 })
		end)
	end)

	describe("drain", function()
		it("announces the end of each connection on its response", function()
			run(name_target, function(t, p)
				local busy, idle = t.http_connect { port = p.port }, t.http_connect { port = p.port }
				idle:request { path = "/1" }
				assert.is_nil(idle:request({ path = "/2" }).headers.connection)
				local server = p.to
				p.to = nil
				for _ = 1, 2 do p:next "request" end
				busy:send { path = "/busy" }
				local conn = p:next("request").conn
				p.proxy:drain()
				p.proxy:route(conn, "127.0.0.1", server)
				local answer = busy:head()
				assert.equal("close", answer.headers.connection)
				assert.equal("/busy", busy:body(answer))
				assert.equal("", busy:read_all())
				p.to = server
				answer = idle:request { path = "/last" }
				assert.same({ "/last", "close" }, { answer.body, answer.headers.connection })
				assert.equal("", idle:read_all())
				t.wait_until(function() return p:count "closed" == 2 end)
			end)
		end)

		it("closes connections that stay idle", function()
			run(name_target, function(t, p)
				local used, unused = t.http_connect { port = p.port }, t.http_connect { port = p.port }
				used:request {}
				t.wait_until(function() return p.proxy:counts().connections == 2 end)
				p.proxy:drain()
				assert.equal("", used:read_all())
				assert.equal("", unused:read_all())
			end)
		end)

		it("announces it on answers of the proxy's own", function()
			run(name_target, function(t, p)
				p.to = nil
				local c = t.http_connect { port = p.port }
				c:send {}
				local conn = p:next("request").conn
				p.proxy:drain()
				assert(p.proxy:refuse(conn, 503, "no"))
				assert.equal("close", c:head().headers.connection)
				assert.equal("no\n", c:read_all())
			end)
		end)

		it("serves clients whose connections were made before the listener closed", function()
			run(name_target, function(t, p)
				local clients = {}
				for i = 1, 20 do
					local stream = uv.new_tcp()
					assert(stream:connect("127.0.0.1", p.port, function(err) assert(not err, err) end))
					clients[i] = stream
				end
				-- made in the kernel, and not accepted: no turn of the loop was taken since
				p.proxy:stop_listening()
				p.proxy:drain()
				for i, stream in ipairs(clients) do
					local c = t.wrap(stream)
					c:write(get("/" .. i))
					assert.matches("\r\nConnection: close\r\n.*/" .. i .. "$", c:read_all())
				end
			end)
		end)
	end)

	describe("a slow reader", function()
		-- Curl reads a response at a limited rate; its exit status and what it has got.
		local function fetch(t, p, rate)
			local file = t.tmpdir() .. "/body"
			local curl = t.spawn { "curl", "-sS", "--limit-rate", rate, "-o", file,
				"http://127.0.0.1:" .. p.port .. "/", foreign = true }
			local status = curl:wait()
			return status, uv.fs_stat(file).size, curl.stderr
		end

		for name, head in pairs {
			["whose response ends with the connection"] = "HTTP/1.1 200 OK\r\n\r\n",
			["whose response has a length"] = "HTTP/1.1 200 OK\r\nContent-Length: 1500000\r\n\r\n",
			["who is sent the end of the connection"] =
				"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1500000\r\n\r\n",
		} do
			it(name .. " gets everything, however short the timeouts", function()
				run(function(c)
					c:write(head .. noise(1500000))
					c:close()
				end, function(t, p)
					assert.same({ 0, 1500000, "" }, { fetch(t, p, "300k") })
				end, { stall_timeout_ms = 1000, idle_timeout_ms = 1000 }, { timeout_ms = 60000 })
			end)
		end

		it("is disconnected when it reads nothing at all", function()
			run(function(c) c:write(response(noise(30000000))) end, function(t, p)
				local c = t.http_connect { port = p.port }
				real_proxy.pause(c)
				c:send {}
				p:next "closed"
			end, { stall_timeout_ms = 300 })
		end)
	end)

	it("serves many clients at once, each its own", function()
		run(function(c, head)
			local len = tonumber(field(head, "content-length"))
			local body = len and c:read_exactly(len) or ""
			c:write(response(head:match("^%S+ (%S+)") .. body))
		end, function(t, p)
			local clients = {}
			for i = 1, 40 do
				clients[i] = function()
					local c = t.http_connect { port = p.port }
					for n = 1, 20 do
						local path, body = ("/%d/%d"):format(i, n), ("x"):rep(i * n * 7)
						assert.equal(path .. body,
							c:request({ method = "PUT", path = path, body = body }).body)
					end
					c:close()
				end
			end
			t.all(clients)
			assert.equal(800, p:count "done")
			t.wait_until(function() return p:count "closed" == 40 end)
			assert.same({ connections = 0, waiting = 0, upstreams = 0, paused = false },
				p.proxy:counts())
		end)
	end)
end)
