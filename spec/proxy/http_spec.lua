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
				t.wait_until(function() return true end)
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
			{ "closes in the middle of a head", get "/", "ECONNRESET", true, function(c)
				c:write "HTTP/1.1 200 OK\r\nContent-"
				c:close()
			end },
			{ "closes before it answers a POST",
				"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "ECONNRESET", false,
				function(c) c:close() end },
			{ "closes before it answers a POST without content",
				"POST / HTTP/1.1\r\nHost: a\r\n\r\n", "ECONNRESET", false, function(c) c:close() end },
			{ "answers a GET with nonsense", get "/", "EPROTO", false,
				function(c) c:write "nonsense" end },
			{ "answers a GET with two lengths", get "/", "EPROTO", false,
				function(c) c:write "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" end },
			{ "switches protocols unasked", get "/", "EPROTO", false, function(c)
				c:write "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
			end },
			{ "does not answer in time", get "/", "ETIMEDOUT", false, function() end },
			{ "closes after an interim response", get "/", "ECONNRESET", false, function(c)
				c:write "HTTP/1.1 103 Early Hints\r\n\r\n"
				c:close()
			end },
		}
		for _, case in ipairs(failures) do
			local name, text, reason, repeatable, serve = table.unpack(case)
			it("tells that it " .. name, function()
				run(serve, function(t, p)
					local c = t.http_connect { port = p.port }
					c:write(text)
					local event = p:next "failed"
					assert.equal(reason, event.reason)
					assert.equal(repeatable, event.repeatable)
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
				p:next "closed"
				assert.equal(0, p:count "done")
			end)
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
