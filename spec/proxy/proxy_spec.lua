local async = require "spec.support.async"
local core = require "gridcentric.core"
local gridcentric_async = require "gridcentric.platform.async"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local real_proxy = require "spec.support.real_proxy"
local uv = require "luv"

local function new(options)
	return core.new_proxy(gridcentric_async.core(), options)
end

local ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
local function say_ok(c) c:write(ok) end

describe("proxy options", function()
	local bad = {
		{ "a mode that there is not", { mode = "udp" } },
		{ "a negative time", { idle_timeout_ms = -1 } },
		{ "a time that is no integer", { idle_timeout_ms = "soon" } },
		{ "heads beyond the buffers", { max_head = 16385 } },
		{ "heads that hold nothing", { max_head = 511 } },
		{ "no connections", { max_connections = 0 } },
		{ "a cookie name that is too long", { cookie = ("a"):rep(64) } },
		{ "a field name that is too long", { field = ("a"):rep(64) } },
		{ "a name that is no string", { 1 } },
	}
	for _, case in ipairs(bad) do
		it("may not be " .. case[1], function()
			assert.has_error(function() new(case[2]) end)
		end)
	end

	it("may not be unknown", function()
		assert.has_error(function() new { max_haed = 1 } end, "unknown option 'max_haed'")
	end)
end)

describe("proxy:configure", function()
	it("changes what is looked at and how much is taken, for who is connected too", function()
		real_proxy.run({ cookie = "sid", max_head = 512, field = "X-Tenant" }, function(t, p)
			p.to = p:serve(say_ok)
			local c = t.http_connect { port = p.port }
			local headers = { ["x-tenant"] = "blue", Cookie = "sid=one", ["X-Long"] = ("x"):rep(500) }
			assert.equal(431, c:request({ headers = headers }).status)
			c:close()
			c = t.http_connect { port = p.port }
			headers["X-Long"] = nil
			assert.equal("ok", c:request({ headers = headers }).body)
			local request = p:next "request"
			assert.same({ "one", "blue" }, { request.cookie, request.field })
			p.proxy:configure { cookie = "other", mode = "tcp", max_head = 4096, field = "X-Long" }
			headers["X-Long"] = ("x"):rep(1000)
			assert.equal("ok", c:request({ headers = headers }).body)
			request = p:next "request"
			assert.same({ "one", 1000 }, { request.cookie, #request.field })
			c:close()
		end)
	end)

	it("accepts who waited for room", function()
		real_proxy.run({ max_connections = 1 }, function(t, p)
			p.to = p:serve(say_ok)
			local first = t.http_connect { port = p.port }
			assert.equal("ok", first:request({}).body)
			local second, answer = t.http_connect { port = p.port }, nil
			t.go(function() answer = second:request({}).body end)
			t.wait_until(function() return p.proxy:counts().paused end)
			assert.is_nil(answer)
			p.proxy:configure { max_connections = 2 }
			t.wait_until(function() return answer end)
			first:close()
			second:close()
		end)
	end)

	it("changes nothing where an option is wrong", function()
		local proxy <close> = assert(new { max_head = 512 })
		assert.has_error(function() proxy:configure { max_head = 1 } end)
		assert.has_error(function() proxy:configure { max_haed = 512 } end)
	end)
end)

describe("proxy:listen", function()
	it("takes a free port and tells it", function()
		local name = uv.getaddrinfo("localhost", nil, {}) and "localhost" or "127.0.0.1"
		for _, host in ipairs { "127.0.0.1", name, "0.0.0.0" } do
			local proxy <close> = assert(new {})
			assert(proxy:listen(host, 0))
			local ip, port = proxy:address()
			assert.is_string(ip)
			assert.is_true(port > 0)
		end
	end)

	it("says what is in the way", function()
		local first <close> = assert(new {})
		local second <close> = assert(new {})
		assert(first:listen("127.0.0.1", 0))
		local _, port = first:address()
		local _, err, code = second:listen("127.0.0.1", port)
		assert.equal("EADDRINUSE", code)
		assert.equal("EADDRINUSE: listen on 127.0.0.1:" .. port .. ": bind: Address already in use", err)
		_, err, code = second:listen("192.0.2.1", 0)
		assert.equal("EADDRNOTAVAIL", code)
		assert.matches("listen on 192.0.2.1:0: bind: ", err)
		_, err, code = second:listen("no host at all", 0)
		assert.equal("EINVAL", code)
		assert.matches("^EINVAL: listen on no host at all:0: ", err)
	end)

	it("listens once", function()
		local proxy <close> = assert(new {})
		assert(proxy:listen("127.0.0.1", 0))
		assert.equal("EALREADY", select(3, proxy:listen("127.0.0.1", 0)))
		proxy:stop_listening()
		proxy:stop_listening()
		assert.equal("ENOTCONN", select(3, proxy:address()))
	end)
end)

describe("proxy commands", function()
	it("know no connection that never was or is over", function()
		real_proxy.run({}, function(t, p)
			local c = t.http_connect { port = p.port }
			c:send {}
			local conn = p:next("request").conn
			local function each(id)
				local proxy = p.proxy
				return {
					select(3, proxy:route(id, "127.0.0.1", 1)),
					select(3, proxy:refuse(id, 503, "")),
					select(3, proxy:detach(id)),
					select(3, proxy:drop(id)),
				}
			end
			local none = { "ENOENT", "ENOENT", "ENOENT", "ENOENT" }
			for _, id in ipairs { 0, -1, conn + 1, conn + (1 << 24), conn ~ (1 << 55), math.maxinteger } do
				assert.same(none, each(id))
			end
			assert(p.proxy:drop(conn))
			assert.same(none, each(conn))
			assert.equal("", c:read_all())
			p:next "closed"
			assert.same(none, each(conn))
			c = t.http_connect { port = p.port }
			c:send {}
			assert.is_true(p:next("request").conn ~= conn)
		end)
	end)

	it("refuse what does not fit", function()
		real_proxy.run({}, function(t, p)
			p.to = p:serve(function() end)
			local c = t.http_connect { port = p.port }
			c:send {}
			local conn = p:next("request").conn
			assert.equal("EINVAL", select(3, p.proxy:route(conn, "127.0.0.1", p.to)))
			assert.equal("EINVAL", select(3, p.proxy:refuse(conn, 503, "")))
			p.to = nil
			c = t.http_connect { port = p.port }
			c:send {}
			conn = p:next("request").conn
			for _, bad in ipairs {
				{ "localhost", 80 }, { "", 80 }, { "127.0.0.1", 0 },
				{ "127.0.0.1", 80, "a=b\r\nX: y" }, { "127.0.0.1", 80, ("a"):rep(4097) },
			} do
				assert.equal("EINVAL", select(3, p.proxy:route(conn, table.unpack(bad))))
			end
			assert.equal("EINVAL", select(3, p.proxy:refuse(conn, 200, "")))
			assert.equal(1, p.proxy:counts().waiting)
		end)
	end)

	it("raise on wrong arguments and on a closed proxy", function()
		local proxy = assert(new {})
		assert.error_matches(function() proxy:route("a", "127.0.0.1", 1) end,
			"bad argument #1 to 'route' %(number expected, got string%)")
		assert.error_matches(function() proxy:route(1, "127.0.0.1", 65536) end, "out of range")
		proxy:close()
		proxy:close()
		assert.error_matches(function() proxy:counts() end, "the proxy is closed")
	end)
end)

describe("proxy:close", function()
	it("ends connections in any state, without events", function()
		real_proxy.run({}, function(t, p)
			local stop
			local server = p:serve(function(c)
				c:write "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"
				c.t.wait_until(function() return stop end)
			end)
			local clients = {}
			local function client(text)
				local c = t.http_connect { port = p.port }
				clients[#clients + 1] = c
				c:write(text)
				return c
			end
			local get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			client "GET / HT" -- HEAD
			client(get) -- ASKING
			p:next "request"
			p.to = server
			client(get):head() -- RESPONSE
			client "nonsense\n":head() -- LINGER or closed
			client(get)
			p.to = nil
			p:next "request"
			p.proxy:close()
			stop = true
			for _, c in ipairs(clients) do c:read_all() end
			assert.equal(0, p:count "closed")
			p.proxy:close()
		end)
	end)

	it("leaves to others what is theirs", function()
		real_proxy.run({}, function(t, p)
			p.to = p:serve(say_ok)
			local other = assert(new {})
			assert(other:listen("127.0.0.1", 0))
			other:close()
			assert.equal("ok", t.http({ port = p.port }).body)
		end)
	end)

	it("stop_listening lets connections go on", function()
		real_proxy.run({}, function(t, p)
			p.to = p:serve(say_ok)
			local c = t.http_connect { port = p.port }
			assert.equal("ok", c:request({}).body)
			p.proxy:stop_listening()
			assert.equal("ok", c:request({}).body)
			assert.same({ nil, "ECONNREFUSED" }, { t.connect { port = p.port } })
		end)
	end)
end)

describe("a proxy in a clone", function()
	it("is over, and the master's goes on", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			local program = t.spawn { "lua5.4", paths.scripts .. "/cloned_proxy.lua" }
			assert.equal(0, (program:wait()))
			assert.equal("", program.stderr)
			local lines = {}
			for line in program.stdout:gmatch "[^\n]+" do lines[line] = true end
			assert.same({
				["clone counts 0 0 0"] = true,
				["clone route ECANCELED"] = true,
				["clone drop ECANCELED"] = true,
				["clone listen ECANCELED"] = true,
				["master done"] = true,
				["master served ok"] = true,
				["master saw status 0"] = true,
			}, lines)
		end)
	end)
end)

describe("proxy limits", function()
	-- Requests of n clients at once; the number of answers by status.
	local function storm(t, port, n)
		local statuses, clients = {}, {}
		for i = 1, n do
			clients[i] = function()
				local status = assert(t.http { port = port }).status
				statuses[status] = (statuses[status] or 0) + 1
			end
		end
		t.all(clients)
		return statuses
	end

	it("pause accepting at max_connections", function()
		real_proxy.run({ max_connections = 3 }, function(t, p)
			local most = 0
			p.to = p:serve(function(c)
				local counts = p.proxy:counts()
				most = math.max(most, counts.connections)
				say_ok(c)
			end)
			assert.same({ [200] = 50 }, storm(t, p.port, 50))
			assert.equal(3, most)
			t.wait_until(function() return not p.proxy:counts().paused end)
		end)
	end)

	-- The proxy in a program that may open few files.
	local function under_limit(nfiles, max_connections, body)
		async.run(function(t)
			local server = t.listen(function(c)
				while c:read_until "\r\n\r\n" do c:write(ok) end
				c:close()
			end)
			local program = t.spawn { "prlimit", "--nofile=" .. nfiles, "lua5.4",
				paths.scripts .. "/small_proxy.lua", tostring(server), max_connections }
			body(t, tonumber(program:line "listening on (%d+)"))
			assert.equal("", program.stderr)
			program:kill "sigterm"
			program:wait()
		end)
	end

	it("leave room for the servers' ends within the limit of open files", function()
		under_limit(100, nil, function(t, port)
			assert.same({ [200] = 100 }, storm(t, port, 100))
		end)
	end)

	it("survive running out of files", function()
		under_limit(40, "1000", function(t, port)
			local statuses = storm(t, port, 100)
			assert.equal(100, (statuses[200] or 0) + (statuses[503] or 0))
			assert.same({ [200] = 1 }, storm(t, port, 1))
		end)
	end)
end)
