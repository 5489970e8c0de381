local admin = require "gridcentric.live.admin"
local async = require "spec.support.async"
local uv = require "luv"

describe("admin", function()
	local errors

	local pages = {
		["/metrics"] = function() return "a 1\n", "text/plain; version=0.0.4" end,
		["/broken"] = function() error "oops" end,
	}

	local function open(t, where)
		errors = {}
		local server = assert(admin.open(where or { host = "127.0.0.1", port = 0 }, pages,
			function(text) errors[#errors + 1] = text end))
		t.defer(function() server:close() end)
		return server, math.tointeger(tonumber(server.address:match ":(%d+)$"))
	end

	local function answers(name, expected, ask)
		it(name, function()
			async.run(function(t)
				local _, port = open(t)
				local c = t.connect { port = port }
				assert(c:write(ask))
				local answer = c:read_all()
				assert.matches("^HTTP/1.1 " .. expected .. " ", answer)
				assert.matches("\r\nConnection: close\r\n", answer)
				c:close()
			end)
		end)
	end

	it("serves a page with its type", function()
		async.run(function(t)
			local _, port = open(t)
			for _, path in ipairs { "/metrics", "/metrics?x=1" } do
				local answer = t.http { port = port, path = path }
				assert.equal(200, answer.status)
				assert.equal("a 1\n", answer.body)
				assert.equal("text/plain; version=0.0.4", answer.headers["content-type"])
			end
		end)
	end)

	it("reports an error in a page, and goes on", function()
		async.run(function(t)
			local _, port = open(t)
			assert.equal(500, t.http { port = port, path = "/broken" }.status)
			assert.matches("^admin: .*oops", errors[1])
			assert.equal(200, t.http { port = port, path = "/metrics" }.status)
		end)
	end)

	answers("has no other pages", 404, "GET / HTTP/1.1\r\n\r\n")
	answers("allows GET only", 405, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
	answers("speaks HTTP/1.0 and 1.1", 400, "GET /metrics HTTP/2.0\r\n\r\n")
	answers("refuses what is not HTTP", 400, "hello\r\n\r\n")
	answers("refuses an endless head", 431, "GET /metrics HTTP/1.1\r\nX: " .. ("x"):rep(9000))

	it("accepts a request that comes in pieces", function()
		async.run(function(t)
			local _, port = open(t)
			local c = t.connect { port = port }
			for _, piece in ipairs { "GET /met", "rics HTTP/1.1\r", "\n\r", "\n" } do c:write(piece) end
			assert.matches("a 1\n$", c:read_all())
			c:close()
		end)
	end)

	it("serves 16 at a time", function()
		async.run(function(t)
			local _, port = open(t)
			local open_ones = {}
			for i = 1, 16 do
				open_ones[i] = t.connect { port = port }
				open_ones[i]:write "GET"
			end
			local c = t.connect { port = port }
			assert.matches("^HTTP/1.1 503 ", c:read_all())
			c:close()
			open_ones[1]:close()
			t.wait_until(function()
				local answer = t.http { port = port, path = "/metrics" }
				return answer and answer.status == 200
			end)
			for i = 2, 16 do open_ones[i]:close() end
		end)
	end)

	it("closes all connections at its end", function()
		async.run(function(t)
			local server, port = open(t)
			local c = t.connect { port = port }
			c:write "GET"
			t.wait_until(function() return next(server.clients) end)
			server:close()
			server:close()
			c:read_all() -- its end, or a reset
			c:close()
			assert.is_nil((t.connect { port = port }))
		end)
	end)

	it("says that it cannot listen", function()
		async.run(function(t)
			local port = t.listen(function() end)
			local server, err = admin.open({ host = "127.0.0.1", port = port }, pages, error)
			assert.is_nil(server)
			assert.matches("^admin: cannot listen on 127.0.0.1:%d+: EADDRINUSE", err)
		end)
	end)

	describe("on a unix socket", function()
		-- What curl gets there.
		local function get(t, path)
			local p = t.spawn { "curl", "-sS", "--unix-socket", path, "http://admin/metrics",
				foreign = true }
			return p:wait() == 0 and p.stdout
		end

		it("is open to its owner alone, and is gone at its end", function()
			async.run(function(t)
				local path = t.tmpdir() .. "/admin.sock"
				local server = open(t, { path = path })
				assert.equal("unix:" .. path, server.address)
				assert.equal("a 1\n", get(t, path))
				assert.equal(tonumber("600", 8), uv.fs_stat(path).mode & tonumber("777", 8))
				server:close()
				assert.is_nil(uv.fs_lstat(path))
			end)
		end)

		it("refuses a path that is too long, and leaves nothing", function()
			async.run(function(t)
				local dir = t.tmpdir()
				for _, len in ipairs { 99, 103, 107, 108, 200 } do
					local path = dir .. "/" .. ("x"):rep(len - #dir - 1)
					local server, err, code = admin.open({ path = path }, pages, error)
					assert.is_nil(server)
					assert.matches("the path of a unix socket has at most 98 bytes$", err)
					assert.equal("ENAMETOOLONG", code)
				end
				assert.is_nil(uv.fs_scandir_next(uv.fs_scandir(dir)))
				local path = dir .. "/" .. ("x"):rep(98 - #dir - 1)
				open(t, { path = path })
				assert.equal("a 1\n", get(t, path))
			end)
		end)

		it("replaces a socket that was left, and nothing else", function()
			async.run(function(t)
				local path = t.tmpdir() .. "/admin.sock"
				local old = open(t, { path = path })
				open(t, { path = path })
				old:close()
				assert.equal("a 1\n", get(t, path))
				local file = t.tmpdir() .. "/file"
				assert(io.open(file, "w")):close()
				local server, err = admin.open({ path = file }, pages, error)
				assert.is_nil(server)
				assert.matches("there is a file of that name", err)
				assert.equal("file", uv.fs_stat(file).type)
			end)
		end)
	end)
end)
