local identity = require "gridcentric.controller.identity"
local sessions = require "gridcentric.controller.sessions"

describe("identity", function()
	local all, counters

	local function start(sticky, max)
		counters = { sessions = 0, stale_cookies = 0, forged_cookies = 0 }
		local n = 0
		all = identity.new {
			policy = { sticky = sticky, limits = { sessions = max or 100 } },
			sessions = sessions.new { timeout = 60, cookieless_timeout = 10 },
			counters = counters,
			new_key = function()
				n = n + 1
				return "key" .. n
			end,
			is_key = function(value) return value:find "^key" ~= nil end,
		}
	end

	it("recognises users by their cookie, on any connection", function()
		start "cookie"
		local one, is_new = all:session_of(nil, "192.0.2.1")
		assert.is_true(is_new)
		local again, is_new_again = all:session_of(nil, "192.0.2.9", "key1")
		assert.equal(one, again)
		assert.is_false(is_new_again)
		assert.is_true(one.known)
		assert.not_equal(one, (all:session_of(nil, "192.0.2.1")))
		assert.equal(2, counters.sessions)
	end)

	it("begins a session for each request without a cookie, whatever the connection", function()
		start "cookie"
		local one = all:session_of(nil, "192.0.2.1")
		local other, is_new = all:session_of(one, "192.0.2.1")
		assert.is_true(is_new)
		assert.not_equal(one, other)
		assert.not_equal(one.key, other.key)
		assert.equal(one, (all:session_of(other, "192.0.2.1", one.key)))
	end)

	it("counts cookies that are forged, and those that are stale", function()
		start "cookie"
		for _, cookie in ipairs { "x", "key7", "key8" } do all:session_of(nil, "192.0.2.1", cookie) end
		assert.same({ sessions = 3, stale_cookies = 2, forged_cookies = 1 }, counters)
	end)

	it("recognises users by their address", function()
		start "source"
		local one = all:session_of(nil, "192.0.2.1")
		assert.equal(one, (all:session_of(nil, "192.0.2.1")))
		assert.not_equal(one, (all:session_of(nil, "192.0.2.2")))
		assert.is_true(one.known)
	end)

	it("takes each connection for a user", function()
		start(false)
		local one = all:session_of(nil, "192.0.2.1")
		assert.is_nil(one.key)
		assert.equal(one, (all:session_of(one, "192.0.2.1")))
		assert.not_equal(one, (all:session_of(nil, "192.0.2.1")))
	end)

	it("has a limit", function()
		start("cookie", 1)
		local one = all:session_of(nil, "192.0.2.1")
		assert.is_nil((all:session_of(nil, "192.0.2.2")))
		assert.equal(one, (all:session_of(nil, "192.0.2.2", "key1")))
	end)
end)
