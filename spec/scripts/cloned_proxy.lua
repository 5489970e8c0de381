-- A program with a proxy of its own clones itself while one request waits for a route,
-- another is on its way, and a third connection is idle.
-- Prints "master MESSAGE" and "clone MESSAGE"; the master ends when its clone has.

local uv = require "luv"
local async = require "gridcentric.platform.async"
local core = require "gridcentric.core"
local gc = require "gridcentric"

local function say(...)
	io.stdout:write(table.concat({ ... }, " "), "\n")
	io.stdout:flush()
end

local server = uv.new_tcp() -- answers only what ends in /now
server:bind("127.0.0.1", 0)
server:listen(8, function()
	local stream = uv.new_tcp()
	server:accept(stream)
	stream:read_start(function(_, data)
		if not data then
			if not stream:is_closing() then stream:close() end
		elseif data:match "^GET /now" then
			stream:write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		end
	end)
end)
local server_port = server:getsockname().port

local proxy = assert(core.new_proxy(async.core(), {}))
assert(proxy:listen("127.0.0.1", 0))
local _, port = proxy:address()
local conns = {}

local function request(path, on_data)
	local stream = uv.new_tcp()
	stream:connect("127.0.0.1", port, function()
		stream:write("GET " .. path .. " HTTP/1.1\r\nHost: a\r\n\r\n")
		stream:read_start(function(_, data)
			if data then on_data(data) end
		end)
	end)
end

local function route(path)
	return select(3, proxy:route(conns[path], "127.0.0.1", server_port)) or "done"
end

local function in_clone()
	local counts = proxy:counts()
	say("clone counts", counts.connections, counts.waiting, counts.upstreams)
	say("clone route", route "/waits")
	say("clone drop", (select(3, proxy:drop(conns["/busy"]))))
	say("clone listen", (select(3, proxy:listen("127.0.0.1", 0))))
	proxy:close()
	os.exit(0)
end

-- Both in either order: the master is served, its clone has ended.
local left = 2
local function finish_one()
	left = left - 1
	if left == 0 then os.exit(0) end
end

local function in_master()
	request("/now", function(data)
		say("master served", data:match "\r\n\r\n(.*)")
		finish_one()
	end)
end

async.on("proxy_done", function() say "master done" end)
async.on("proxy_request", function(_, conn, _, _, path)
	conns[path] = conn
	if path ~= "/waits" then route(path) end
	if not (conns["/waits"] and conns["/busy"] and conns["/now"]) then return end
	if conns.cloned then return end
	conns.cloned = true
	gc.request_ticket(1, 1, 1, 1000, function(ticket)
		gc.clone(ticket, function(vmid) if vmid == 0 then in_master() else in_clone() end end)
	end)
end)
async.on("domain", function(_, _, state, info)
	if state ~= "ended" then return end
	say("master saw status", info.status)
	finish_one()
end)

request("/waits", function() end)
request("/busy", function() end)
request("/now", function() end)
uv.run()
