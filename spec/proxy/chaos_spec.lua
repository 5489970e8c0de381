-- Clients, servers and an owner that do what comes to their minds. Nothing is promised to them
-- but that the proxy survives, loses no connection, and tells of each what it has to tell.

local uv = require "luv"
local real_proxy = require "spec.support.real_proxy"

local NCLIENTS, NROUNDS = 12, 60

local function pick(list) return list[math.random(#list)] end

local function chunks()
	local parts = {}
	for _ = 1, math.random(0, 4) do
		local len = math.random(1, 9000)
		parts[#parts + 1] = ("%x\r\n%s\r\n"):format(len, ("x"):rep(len))
	end
	return table.concat(parts) .. "0\r\n\r\n"
end

local function with_length(start)
	local len = pick { 0, 5, 20000, 100000 }
	return ("%sContent-Length: %d\r\n\r\n%s"):format(start, len, ("x"):rep(len))
end

local get = "GET / HTTP/1.1\r\nHost: a\r\n"

local requests = {
	function() return get .. "\r\n" end,
	function() return "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" end,
	function() return "GET / HTTP/1.0\r\n\r\n" end,
	function() return get .. "Connection: close\r\n\r\n" end,
	function() return with_length "POST / HTTP/1.1\r\nHost: a\r\n" end,
	function() return with_length "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" end,
	function()
		return "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks()
	end,
	function() return get .. "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" end,
	function() return "nonsense\r\n\r\n" end,
}

local responses = {
	function() return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" end,
	function() return with_length "HTTP/1.1 200 OK\r\n" end,
	function() return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunks() end,
	function() return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" end,
	function()
		return "HTTP/1.1 101 Fine\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello"
	end,
	function() return "HTTP/1.1 200 OK\r\n\r\nuntil the end" end,
	function() return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more" end,
	function() return "nonsense" end,
	function() return "" end,
}

-- Writes text in some pieces, perhaps not to its end.
local function write(c, text)
	if math.random(8) == 1 then text = text:sub(1, math.random(0, #text)) end
	local at = 1
	while at <= #text and not c.stream:is_closing() do
		local len = math.random(2) == 1 and #text or math.random(1, 5000)
		c.stream:write(text:sub(at, at + len - 1))
		at = at + len
		if math.random(3) == 1 then c.t.wait_until(function() return true end) end
	end
end

local function leave(c)
	if math.random(4) == 1 then c.stream:shutdown() end
	if math.random(4) == 1 then c:reset() else c:close() end
end

local function client(t, port)
	for _ = 1, NROUNDS do
		local c = t.connect { port = port } -- may be reset as soon as it is accepted
		for _ = 1, c and math.random(3) or 0 do write(c, pick(requests)()) end
		if math.random(2) == 1 then
			local turns = 0
			t.wait_until(function()
				turns = turns + 1
				return turns > 5 or not c or c.ended
			end)
		end
		if c then leave(c) end
	end
end

local function serve(c)
	while not c.stream:is_closing() and c:read_until "\r\n\r\n" do
		write(c, pick(responses)())
		if math.random(4) == 1 then return leave(c) end
	end
end

-- Decides on each event about a connection, now or a little later.
local function decide(t, p, servers, event)
	local proxy, conn = p.proxy, event.conn
	local function act()
		local what = math.random(12)
		if what == 1 then
			proxy:refuse(conn, 503, "no")
		elseif what == 2 then
			proxy:drop(conn)
		elseif event.repeatable == false then
			proxy:refuse(conn, 502, "failed")
		else
			proxy:route(conn, "127.0.0.1", pick(servers), what == 3 and "a=b" or nil)
			if what == 4 then proxy:detach(conn) end
		end
	end
	if math.random(3) > 1 then return act() end
	t.go(function()
		t.wait_until(function() return true end)
		act()
	end)
end

local function storm(options)
	local seed = tonumber(os.getenv "GRIDCENTRIC_SEED") or 1
	math.randomseed(seed)
	real_proxy.run(options, function(t, p)
		local servers = { p:listen(serve), p:listen(serve), t.free_port() }
		p.on_event = function(kind, event)
			if kind ~= "done" and kind ~= "closed" then decide(t, p, servers, event) end
		end
		local clients = {}
		for i = 1, NCLIENTS do clients[i] = function() client(t, p.port) end end
		t.all(clients)
		t.wait_until(function() return p.proxy:counts().connections == 0 end, nil, "the last connection")
		assert.same({ connections = 0, waiting = 0, upstreams = 0, paused = false }, p.proxy:counts())
		assert.is_true(p:count "closed" > 0)
		-- each connection that was told of has ended, and just once
		local open = {}
		for _, kind in ipairs { "request", "conn" } do
			for _, event in ipairs(p.events[kind]) do open[event.conn] = true end
		end
		for _, event in ipairs(p.events.closed) do
			assert.is_true(open[event.conn])
			open[event.conn] = nil
		end
		assert.is_nil(next(open))
		uv.run "nowait"
	end)
end

describe("the proxy among madmen", function()
	it("survives in http mode", function()
		storm { head_timeout_ms = 200, idle_timeout_ms = 200, stall_timeout_ms = 200,
			response_timeout_ms = 200, tunnel_timeout_ms = 200, max_body = 90000 }
	end)

	it("survives in tcp mode", function()
		storm { mode = "tcp", stall_timeout_ms = 200, tunnel_timeout_ms = 200 }
	end)
end)
