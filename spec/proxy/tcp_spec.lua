local uv = require "luv"
local real_proxy = require "spec.support.real_proxy"

-- Runs body(t, p, server) with a proxy that sends everything to one server.
local function run(serve, body, options, run_options)
	options = options or {}
	options.mode = "tcp"
	real_proxy.run(options, function(t, p)
		local server
		p.to, server = p:listen(serve)
		body(t, p, server)
	end, run_options)
end

local function echo(c)
	while true do
		local data = c:read()
		if not data then break end
		c:write(data)
	end
end

-- Turns of the loop during some 40 milliseconds in which nothing is to happen.
local function turns_when_idle(t)
	local turns, rounds = 0, 0
	local check = uv.new_check()
	check:start(function() turns = turns + 1 end)
	t.wait_until(function()
		rounds = rounds + 1
		return rounds == 20
	end)
	check:close()
	return turns
end

describe("the proxy in tcp mode", function()
	it("relays bytes both ways and counts them", function()
		run(echo, function(t, p)
			local c = t.connect { port = p.port }
			for _, data in ipairs { "a", "\0\r\n\255", ("x"):rep(1000000) } do
				t.go(function() c:write(data) end)
				assert.is_true(c:read_exactly(#data) == data)
			end
			local event = p:next "conn"
			assert.equal("127.0.0.1", event.ip)
			assert.is_true(event.port > 0)
			c:shutdown()
			assert.equal("", c:read_all())
			local closed = p:next "closed"
			assert.equal(event.conn, closed.conn)
			assert.same({ 1000005, 1000005 }, { closed.received, closed.sent })
		end)
	end)

	it("lets the server speak first", function()
		run(function(c) c:write "hello" end, function(t, p)
			local c = t.connect { port = p.port }
			assert.equal("hello", c:read_all())
		end)
	end)

	it("passes on the end of one direction, and goes on with the other", function()
		run(function(c)
			local request = c:read_all()
			c:write("answer to " .. request)
			c:shutdown()
			assert.is_nil(c:read())
		end, function(t, p)
			local c = t.connect { port = p.port }
			c:write "question"
			c:shutdown()
			assert.equal("answer to question", c:read_all())
			p:next "closed"
		end)
	end)

	it("passes on the server's end while the client still writes", function()
		run(function(c)
			c:shutdown()
			assert.equal("late", c:read_all())
		end, function(t, p)
			local c = t.connect { port = p.port }
			assert.equal("", c:read_all())
			c:write "late"
			c:shutdown()
			p:next "closed"
		end)
	end)

	it("keeps what comes while the owner decides", function()
		run(echo, function(t, p)
			local server = p.to
			p.to = nil
			local c = t.connect { port = p.port }
			c:write "early"
			c:shutdown()
			local conn = p:next("conn").conn
			t.wait_until(function() return true end)
			assert(p.proxy:route(conn, "127.0.0.1", server))
			assert.equal("early", c:read_all())
		end)
	end)

	it("asks again when the server cannot be reached", function()
		run(echo, function(t, p)
			local server = p.to
			p.to = t.free_port()
			local c = t.connect { port = p.port }
			c:write "x"
			for _ = 1, 3 do
				local event = p:next "failed"
				assert.equal("ECONNREFUSED", event.reason)
				assert.is_true(event.repeatable)
				assert(p.proxy:route(event.conn, "127.0.0.1", p.to))
			end
			assert(p.proxy:route(p:next("failed").conn, "127.0.0.1", server))
			assert.equal("x", c:read_exactly(1))
		end)
	end)

	it("tells that a server does not take connections in time", function()
		run(echo, function(t, p)
			local program = t.spawn { "lua5.4", "-e", [[
				local uv = require "luv"
				local server = uv.new_tcp()
				server:bind("127.0.0.1", 0)
				server:listen(1, function() end)
				print(server:getsockname().port)
				io.stdout:flush()
				uv.run()
			]] }
			p.to = tonumber(program:line "%d+")
			program:kill "sigstop"
			for _ = 1, 3 do t.connect { port = p.port } end -- the kernel takes two
			assert.equal("ETIMEDOUT", p:next("failed").reason)
			program:kill "sigkill"
			program:wait()
		end, { connect_timeout_ms = 50 })
	end)

	it("resets what it refuses", function()
		run(echo, function(t, p)
			p.to = nil
			local c = t.connect { port = p.port }
			assert(p.proxy:refuse(p:next("conn").conn, 503, "no"))
			assert.same({ nil, "ECONNRESET" }, { c:read() })
			p:next "closed"
		end)
	end)

	it("passes on resets", function()
		run(function(c)
			c:read()
			c:reset()
		end, function(t, p)
			local c = t.connect { port = p.port }
			c:write "x"
			assert.same({ nil, "ECONNRESET" }, { c:read() })
		end)
		local err
		run(function(c) err = select(2, c:read_all()) end, function(t, p)
			local c = t.connect { port = p.port }
			c:write "x"
			t.wait_until(function() return p.proxy:counts().upstreams == 1 end)
			c:reset()
			p:next "closed"
			t.wait_until(function() return err end, nil, "the reset at the server")
			assert.equal("ECONNRESET", err)
		end)
	end)

	it("notices a client that was reset while the owner decides", function()
		run(echo, function(t, p)
			p.to = nil
			local c = t.connect { port = p.port }
			local conn = p:next("conn").conn
			c:reset()
			assert.equal(conn, p:next("closed").conn)
		end)
	end)

	it("ends a tunnel in which nothing moves, where a limit is set", function()
		run(echo, function(t, p)
			local c = t.connect { port = p.port }
			assert.same({ nil, "ECONNRESET" }, { c:read() })
		end, { tunnel_timeout_ms = 50 })
	end)

	it("ends a tunnel whose server has ended and whose client is silent", function()
		run(function(c) c:write "bye" end, function(t, p)
			local c = t.connect { port = p.port }
			assert.equal("bye", c:read_all())
			p:next "closed"
		end, { stall_timeout_ms = 50 })
	end)

	describe("after a clean end", function()
		-- Curl reads what a server sends before it closes, at a limited rate.
		local function fetch(t, p, rate, total)
			local curl = t.spawn { "curl", "-sS", "--limit-rate", rate, "-o",
				t.tmpdir() .. "/all", "-w", "%{size_download}", "http://127.0.0.1:" .. p.port .. "/",
				foreign = true }
			assert.equal(0, curl:wait(), curl.stderr)
			assert.equal(tostring(total), curl.stdout)
		end

		it("lets a slow client read everything, however short the timeout", function()
			local total = 1500000
			run(function(c)
				c:read_until "\r\n\r\n"
				c:write("HTTP/1.0 200 OK\r\n\r\n" .. ("x"):rep(total))
			end, function(t, p) fetch(t, p, "300k", total) end, { stall_timeout_ms = 1000 },
				{ timeout_ms = 60000 })
		end)

		it("lets a client read at 30 kB/s", function()
			local total = 400000
			run(function(c)
				c:read_until "\r\n\r\n"
				c:write("HTTP/1.0 200 OK\r\n\r\n" .. ("x"):rep(total))
			end, function(t, p) fetch(t, p, "30k", total) end, { stall_timeout_ms = 4000 },
				{ timeout_ms = 100000 })
		end)

		it("lets a slow server read what a client sent before it closed", function()
			local total, got, server = 6000000, 0, nil
			run(function(c)
				real_proxy.pause(c)
				server = c
				c.t.suspend("the test", nil, function(wake) c.go_on = wake end)
				real_proxy.resume(c)
				while true do
					local data = c:read()
					if not data then break end
					got = got + #data
				end
			end, function(t, p)
				local c = t.connect { port = p.port }
				c.stream:write(("x"):rep(total))
				t.wait_until(function() return server end)
				t.suspend("the client's end", nil, function(wake) c.stream:shutdown(wake) end)
				c:close()
				server.go_on()
				t.wait_until(function() return got == total end, nil, "all bytes at the server")
				assert.is_nil(server.err)
			end, { stall_timeout_ms = 2000 })
		end)

		it("delivers what a server sent, although it refuses what the client sends", function()
			local total, closed = 100000, false
			run(function(c)
				c:write(("x"):rep(total))
				c:close() -- what comes from now on is answered with a reset
				closed = true
			end, function(t, p)
				local c = t.connect { port = p.port }
				real_proxy.pause(c)
				t.wait_until(function() return closed end)
				for _ = 1, 3 do
					c.stream:write "y"
					real_proxy.settle(t, function() return closed end)
				end
				real_proxy.resume(c)
				assert.equal(total, #assert(c:read_all()))
			end)
		end)

		it("delivers what a client sent, although it refuses what the server sends", function()
			local total, server = 1000000, nil
			run(function(c)
				real_proxy.pause(c)
				server = c
				c.t.suspend("the test", nil, function(wake) c.go_on = wake end)
				for _ = 1, 3 do
					c.stream:write "y" -- the first is answered with a reset
					real_proxy.settle(c.t, function() return c end)
				end
				real_proxy.resume(c)
				c.got = #assert(c:read_all())
			end, function(t, p)
				local c = t.connect { port = p.port }
				t.suspend("the client's end", nil, function(wake)
					c.stream:write(("x"):rep(total))
					c.stream:shutdown(wake)
				end)
				real_proxy.settle(t, function() return c end)
				c:close()
				server.go_on()
				t.wait_until(function() return server.got end, nil, "all bytes at the server")
				assert.equal(total, server.got)
			end)
		end)
	end)

	it("is calm while a slow reader keeps it from reading to the server's end", function()
		local total = 40000000 -- more than the kernel holds for both sockets
		run(function(c)
			assert.is_nil(c:read())
			c.stream:write(("x"):rep(total))
			c.t.suspend("the server's end", nil, function(wake) c.stream:shutdown(wake) end)
		end, function(t, p)
			local c = t.connect { port = p.port }
			c:shutdown()
			local got = 0
			while got < total do
				local step = got + 1500000
				while got < step and got < total do got = got + #assert(c:read()) end
				real_proxy.pause(c)
				assert.is_true(turns_when_idle(t) < 200)
				real_proxy.resume(c)
			end
			assert.equal("", c:read_all())
		end)
	end)
end)
