-- The proxy of C on the core's loop, with a record of its events.
--
--	real_proxy.run({ mode = "http", ... }, function(t, p) ... end)
--
-- is async.run with a proxy of these options (core.new_proxy), which is closed at the end;
-- the servers have to notice that.
--	p.to = port          where connections and requests are sent at once; nil: they wait
--	p.on_event           instead: a function that gets the kind of each event, and the event
--	p.port               where it listens
--	p.proxy              the object itself
--	p:next(kind)         waits for the next event of a kind ("request") that was not
--	                     taken yet; its values by name
--	p:count(kind)        how many of that kind there were
--
-- Servers, on luv:
--	p:serve(answer)      -> port, server; answer(c, head, n) for each request head on a
--	                     connection c of tcp.lua; server.accepted counts connections
--	p:listen(serve)      -> port, server; serve(c) for each connection, which it closes
--	real_proxy.pause(c), real_proxy.resume(c)    stops reading of a connection
--	real_proxy.settle(t, value)   waits until value() is the same for some turns, gives it

local gridcentric_async = require "gridcentric.platform.async"
local core = require "gridcentric.core"
local async = require "spec.support.async"

gridcentric_async.core() -- opened once, before any run looks at what is open

local real_proxy = {}

local names = {
	conn = { "conn", "ip", "port" },
	request = { "conn", "ip", "method", "target", "host", "cookie", "field", "agent" },
	failed = { "conn", "reason", "repeatable", "detail" },
	done = { "conn", "status", "wait_ms", "reason", "detail" },
	closed = { "conn", "received", "sent" },
}

local Proxy = {}
Proxy.__index = Proxy

local function decide(self, kind, event)
	if self.on_event then return self.on_event(kind, event) end
	if (kind == "conn" or kind == "request") and self.to then
		assert(self.proxy:route(event.conn, "127.0.0.1", self.to))
	end
end

local function record(self, kind, ...)
	local event = {}
	for i, name in ipairs(names[kind]) do event[name] = (select(i, ...)) end
	assert(event.conn >> 55 == self.proxy:number())
	table.insert(self.events[kind], event)
	self.counts[kind] = self.counts[kind] + 1
	decide(self, kind, event)
	local wake = self.waiting[kind]
	self.waiting[kind] = nil
	if wake then wake() end
end

function Proxy:next(kind)
	local list = self.events[kind]
	if #list == 0 then
		self.t.suspend("the event " .. kind, nil, function(wake) self.waiting[kind] = wake end)
	end
	return table.remove(list, 1)
end

function Proxy:count(kind) return self.counts[kind] end

function Proxy:listen(serve)
	local server = { accepted = 0 }
	local port = self.t.listen(function(c)
		server.accepted = server.accepted + 1
		self.serving = self.serving + 1
		serve(c)
		c:close()
		self.serving = self.serving - 1
	end)
	return port, server
end

function Proxy:serve(answer)
	return self:listen(function(c)
		local n = 0
		while not c.stream:is_closing() do
			local head = c:read_until "\r\n\r\n"
			if not head then break end
			n = n + 1
			answer(c, head, n)
		end
	end)
end

local function start(t, options)
	local self = setmetatable({ t = t, events = {}, counts = {}, waiting = {}, serving = 0 }, Proxy)
	self.proxy = assert(core.new_proxy(gridcentric_async.core(), options))
	t.defer(function() self.proxy:close() end)
	for kind in pairs(names) do
		self.events[kind], self.counts[kind] = {}, 0
		gridcentric_async.on("proxy_" .. kind, function(_, ...) record(self, kind, ...) end)
	end
	assert(self.proxy:listen("127.0.0.1", 0))
	self.port = select(2, assert(self.proxy:address()))
	return self
end

function real_proxy.pause(c) c.stream:read_stop() end

function real_proxy.resume(c)
	c.stream:read_start(function(err, data)
		if data then c.buffer = c.buffer .. data else c.ended, c.err = true, err end
		local wake = c.wake
		c.wake = nil
		if wake then wake() end
	end)
end

function real_proxy.settle(t, value)
	local last, same = nil, 0
	t.wait_until(function()
		local now = value()
		same = now == last and same + 1 or 0
		last = now
		return same == 20
	end, nil, "a value that stays the same")
	return last
end

function real_proxy.run(options, body, run_options)
	async.run(function(t)
		local p = start(t, options)
		body(t, p)
		p.proxy:close()
		t.wait_until(function() return p.serving == 0 end, nil, "the end of the servers")
	end, run_options)
end

return real_proxy
