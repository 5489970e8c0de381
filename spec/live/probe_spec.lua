local async = require "spec.support.async"
local probe = require "gridcentric.live.probe"

describe("probe", function()
	-- What a check of a server finds wrong; false if nothing.
	local function check(t, port, options)
		options.timeout = options.timeout or 5
		return t.suspend("the probe", nil, function(wake)
			probe("127.0.0.1", port, options, function(why) wake(why or false) end)
		end)
	end

	-- A server that says this to whoever asks for something.
	local function server(t, answer)
		local heard = {}
		return t.listen(function(c)
			heard.text = c:read_until "\r\n\r\n"
			if answer then c:write(answer) else c:read_all() end
			c:close()
			heard.is_over = true
		end), heard
	end

	it("is content with a connect", function()
		async.run(function(t)
			assert.is_false(check(t, (t.listen(function(c) c:close() end)), {}))
			assert.matches("ECONNREFUSED", check(t, t.free_port(), {}))
		end)
	end)

	it("asks for a path, and looks at the status", function()
		async.run(function(t)
			local port, heard = server(t, "HTTP/1.1 204 No Content\r\n\r\n")
			assert.is_false(check(t, port, { path = "/health?x" }))
			assert.matches("^GET /health%?x HTTP/1.1\r\nHost: 127.0.0.1:%d+\r\n", heard.text)
			for answer, expected in pairs {
				["HTTP/1.1 500 Oops\r\n\r\n"] = "status 500",
				["HTTP/1.0 302\r\n\r\n"] = false,
				["SSH-2.0-x\r\n"] = "no answer in HTTP",
				["HTTP/1.1 2"] = "closed without an answer",
			} do
				assert.equal(expected, check(t, (server(t, answer)), { path = "/" }))
			end
		end)
	end)

	it("may want one status only", function()
		async.run(function(t)
			local answer = "HTTP/1.1 200 OK\r\n\r\n"
			assert.is_false(check(t, (server(t, answer)), { path = "/", status = 200 }))
			assert.equal("status 200", check(t, (server(t, answer)), { path = "/", status = 204 }))
		end)
	end)

	it("waits no longer than its timeout", function()
		async.run(function(t)
			local port, heard = server(t, nil)
			assert.equal("no answer within 50 ms", check(t, port, { path = "/", timeout = 0.05 }))
			t.wait_until(function() return heard.is_over end)
		end)
	end)
end)
