-- What every proxy does for a controller: gridcentric.proxy, the model of replay, and the fake of
-- the specs, in http mode.
--
--	for _, case in ipairs(contract) do it(case.title, function() ... case.check(s) ... end) end
--
-- A case gets s:
--	s.proxy                  not served yet
--	s.ip, s.port             a server that answers with 200
--	s.connect() -> client    somebody connects, who keeps cookies
--	client.ask()             sends a request, the first one on this connection or another
--	client.hang_up()
--	s.wait(predicate, what)  lets time pass until the predicate holds

local assert = require "luassert"

local contract = {}

local function case(title, check)
	table.insert(contract, { title = title, check = check })
end

-- A handler that records what it is told: { name, conn, ... }.
local function serve(s)
	local seen = {}
	local handler = {}
	for _, name in ipairs { "on_connection", "on_request", "on_failure", "on_done", "on_close" } do
		handler[name] = function(self, ...)
			assert.equal(handler, self)
			table.insert(seen, table.pack(name, ...))
		end
	end
	s.proxy:serve(handler)
	-- The next event, which has to be of this name.
	function seen.next(name)
		s.wait(function() return seen[1] end, name)
		local event = table.remove(seen, 1)
		assert.equal(name, event[1])
		return table.unpack(event, 2, event.n)
	end
	return seen
end

case("has an address", function(s)
	assert.equal("string", type(s.proxy.address))
end)

case("reports a request with what is known of it", function(s)
	local seen = serve(s)
	s.connect().ask()
	local conn, ip, request = seen.next "on_request"
	assert.equal("integer", math.type(conn))
	assert.matches("^%d+%.%d+%.%d+%.%d+$", ip)
	assert.equal("GET", request.method)
	assert.matches("^/", request.target)
	assert.equal("string", type(request.host))
	assert.is_nil(request.cookie)
end)

case("has a routed request answered, and the connection go on", function(s)
	local seen, client = serve(s), s.connect()
	client.ask()
	local conn = seen.next "on_request"
	s.proxy:route(conn, s.ip, s.port)
	local done, status = seen.next "on_done"
	assert.same({ conn, 200 }, { done, status })
	client.ask()
	assert.equal(conn, (seen.next "on_request"))
end)

case("gives the client a key, which comes back with the next request", function(s)
	local seen, client = serve(s), s.connect()
	client.ask()
	local conn = seen.next "on_request"
	s.proxy:route(conn, s.ip, s.port, "key")
	seen.next "on_done"
	client.ask()
	assert.equal("key", select(3, seen.next "on_request").cookie)
end)

case("answers a refused request itself", function(s)
	local seen, client = serve(s), s.connect()
	client.ask()
	local conn = seen.next "on_request"
	s.proxy:refuse(conn, 503, "no room")
	local done, status = seen.next "on_done"
	assert.same({ conn, 503 }, { done, status })
end)

case("reports the end of a connection once, and nothing after it", function(s)
	local seen, client = serve(s), s.connect()
	client.ask()
	local conn = seen.next "on_request"
	client.hang_up()
	assert.equal(conn, (seen.next "on_close"))
	assert.is_nil(seen[1])
end)

case("ends a dropped connection, but not inside of the call", function(s)
	local seen, client = serve(s), s.connect()
	client.ask()
	local conn = seen.next "on_request"
	s.proxy:drop(conn)
	assert.is_nil(seen[1])
	assert.equal(conn, (seen.next "on_close"))
end)

case("gives each connection a number of its own", function(s)
	local seen = serve(s)
	s.connect().ask()
	local first = seen.next "on_request"
	s.connect().ask()
	assert.are_not.equal(first, (seen.next "on_request"))
end)

case("stops listening, drains and closes, without events after that", function(s)
	local seen = serve(s)
	s.proxy:stop_listening()
	s.proxy:drain()
	s.proxy:close()
	s.proxy:close()
	assert.is_nil(seen[1])
end)

return contract
