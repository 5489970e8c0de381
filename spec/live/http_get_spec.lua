local async = require "spec.support.async"
local http_get = require "gridcentric.live.http_get"

describe("http_get", function()
	-- What comes of a server that reads a request and answers so, in pieces; `open`: and then waits
	-- for the client to close.
	local function get(t, pieces, limits)
		local asked, is_over
		local port = t.listen(function(connection)
			asked = connection:read_until("\r\n\r\n")
			for _, piece in ipairs(pieces) do connection:write(piece) end
			if pieces.open then connection:read_all() end
			connection:close()
			is_over = true
		end)
		local body, err = t.suspend("the page", nil, function(wake)
			http_get({ host = "127.0.0.1", port = port, path = "/metrics?x=1" },
				limits or { timeout = 5 }, t.expect(wake))
		end)
		t.wait_until(function() return is_over end)
		return body, err, asked
	end

	local function gives(name, expected_body, expected_err, pieces, limits)
		it(name, function()
			async.run(function(t)
				local body, err = get(t, pieces, limits)
				assert.equal(expected_body, body)
				assert.equal(expected_err, err)
			end)
		end)
	end

	it("asks as it should", function()
		async.run(function(t)
			local _, _, asked = get(t, { "HTTP/1.0 200 OK\r\n\r\n" })
			assert.matches("^GET /metrics%?x=1 HTTP/1%.0\r\nHost: 127%.0%.0%.1:%d+\r\n", asked)
		end)
	end)

	gives("reads to the end of the connection", "a 1\n", nil, { "HTTP/1.0 200 OK\r\n\r\n", "a 1\n" })
	gives("reads as much as is announced", "a 1\n", nil,
		{ "HTTP/1.1 200 OK\r\nContent-Le", "ngth: 4\r\n\r", "\na ", "1\nmore", open = true })
	gives("tells of another status", nil, "status 404 Not Found",
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" })
	gives("tells of an answer that is cut", nil, "the connection closed within the answer",
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc" })
	gives("tells of no answer", nil, "the connection closed before the answer", {})
	gives("tells of what is not HTTP", nil, "the answer is not HTTP", { "SSH-2.0\r\n\r\n" })
	gives("tells of chunks, which were not asked for", nil, "the answer is in chunks",
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" })
	gives("reads no more than it may", nil, "more than 100 bytes",
		{ "HTTP/1.0 200 OK\r\n\r\n", ("x"):rep(101), open = true }, { timeout = 5, max = 100 })
	gives("does not begin with what is announced as more", nil, "more than 100 bytes",
		{ "HTTP/1.0 200 OK\r\nContent-Length: 101\r\n\r\n", open = true }, { timeout = 5, max = 100 })
	gives("reads no endless head", nil, "the head of the answer is too long",
		{ "HTTP/1.0 200 OK\r\nX: " .. ("x"):rep(20000), open = true })
	gives("waits no longer than timeout", nil, "no answer within 50 ms",
		{ "HTTP/1.0 200 OK\r\n", open = true }, { timeout = 0.05 })

	it("tells that nobody listens", function()
		async.run(function(t)
			local port = t.free_port()
			local _, err = t.suspend("the page", nil, function(wake)
				http_get({ host = "127.0.0.1", port = port, path = "/" }, { timeout = 5 }, wake)
			end)
			assert.equal("ECONNREFUSED", err)
		end)
	end)

	it("can be called off, and says nothing then", function()
		async.run(function(t)
			local is_over
			local port = t.listen(function(connection)
				connection:read_all()
				connection:close()
				is_over = true
			end)
			local cancel = http_get({ host = "127.0.0.1", port = port, path = "/" }, { timeout = 5 },
				t.expect(function() end, 0))
			cancel()
			cancel()
			local other = t.connect { port = port } -- the first may never have been accepted
			other:close()
			t.wait_until(function() return is_over end)
		end)
	end)
end)
