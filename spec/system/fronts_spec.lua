-- limit: 240 s
-- Whole services with real programs in front of them, and real clients.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("fronts", function() pending(puppet.missing) end)
end

local POLICY = [[return {
	app = { script = "program.lua" }, clones = { min = 1, max = 8 },
	scale = ratio { metric = "sessions", per_clone = 2 },
	%s
}]]

-- Starts a program of a configuration file, in which PORT is where it is to listen, BACKEND where
-- the service does, and DIR a folder; waits until it listens.
local function start_front(t, config, port, command)
	local dir, listen = t.tmpdir(), t.free_port()
	local values = { PORT = listen, BACKEND = port, DIR = dir }
	local file = gcscale.write(dir .. "/front.cfg", (config:gsub("%u%u%u+", values)))
	local args = { foreign = true }
	for i, word in ipairs(command) do args[i] = word == "FILE" and file or word end
	local p = t.spawn(args)
	t.wait_until(function()
		local c = t.connect { port = listen }
		if c then c:close() end
		return c
	end, nil, command[1])
	return listen, p
end

local HAPROXY = [[
global
	nbthread 1
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	%s
frontend users
	bind 127.0.0.1:PORT
	default_backend service
backend service
	%s
	server gcscale 127.0.0.1:BACKEND %s
]]

local NGINX = [[
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr error;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	upstream service { server 127.0.0.1:BACKEND; keepalive 16; }
	server {
		listen 127.0.0.1:PORT;
		location / {
			proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
		}
	}
}
]]

local function start_haproxy(t, port, defaults, backend, server)
	return start_front(t, HAPROXY:format(defaults or "", backend or "", server or ""), port,
		{ "haproxy", "-db", "-q", "-f", "FILE" })
end

local function start_nginx(t, port)
	return start_front(t, NGINX, port, { "nginx", "-c", "FILE" })
end

-- The session's cookie of each of n new users, who ask at the same time, and then once more.
local function visit(t, port, n)
	local users, visits, returns = {}, {}, {}
	for i = 1, n do
		users[i] = {}
		visits[i] = function()
			local answer = assert(t.http { port = port, jar = users[i] })
			assert.equal(200, answer.status)
			users[i].clone = answer.body
		end
		returns[i] = function()
			local clone = users[i].clone
			users[i].clone = nil
			local answer = assert(t.http { port = port, jar = users[i] })
			assert.equal(clone, answer.body)
			assert.is_nil(answer.headers["set-cookie"])
		end
	end
	t.all(visits)
	t.all(returns)
	local cookies, ncookies = {}, 0
	for _, jar in ipairs(users) do
		local _, cookie = next(jar)
		if not cookies[cookie] then ncookies = ncookies + 1 end
		cookies[assert(cookie)] = true
	end
	return ncookies
end

describe("users behind one connection", function()
	it("of HAProxy with http-reuse always have a session each", function()
		async.run(function(t)
			local s = gcscale.start(t, POLICY:format "")
			local port, front = start_haproxy(t, s.port, "http-reuse always")
			for _ = 1, 2 do assert.equal(20, visit(t, port, 20)) end
			t.wait_until(function() return s:status().report.sessions == 40 end, nil, "40 sessions")
			front:stop()
			s.p:stop()
		end, { timeout_ms = 60000 })
	end)

	it("of nginx with keepalive 16 have a session each", function()
		async.run(function(t)
			local s = gcscale.start(t, POLICY:format "")
			local port, front = start_nginx(t, s.port)
			for _ = 1, 2 do assert.equal(20, visit(t, port, 20)) end
			t.wait_until(function() return s:status().report.sessions == 40 end, nil, "40 sessions")
			front:stop()
			s.p:stop()
		end, { timeout_ms = 60000 })
	end)
end)

describe("the health checks of HAProxy", function()
	-- Checks until the service has answered n of them, which it logs.
	local function check(t, s, n, what)
		local program = s.requests
		local before = program()
		local _, front = start_haproxy(t, s.port, "", what, "check inter 50")
		t.wait_until(function() return program() - before >= n end, nil, "the checks")
		front:stop()
	end

	-- A service whose program writes a line for each request.
	local function start(t, keys)
		local log = t.tmpdir() .. "/requests"
		local program = gcscale.PROGRAM:gsub('local path = data:match "[^\n]*\n',
			'%0local log = io.open(os.getenv "REQUESTS", "a") log:write(path, "\\n") log:close()\n', 1)
		local s = gcscale.start(t, POLICY:format(keys), program, { env = { REQUESTS = log } })
		function s.requests()
			local n = 0
			for _ in (io.open(log) and io.lines(log) or function() end) do n = n + 1 end
			return n
		end
		return s
	end

	for name, case in pairs {
		["do not scale where sessions are confirmed"] = { 'count = "confirmed"', "option httpchk" },
		["do not scale where their path is ignored"] =
			{ 'ignore = { path = "/healthz" }', "option httpchk GET /healthz" },
		["do not scale where their agent is ignored"] = { 'ignore = { agent = "balancer/1" }',
			"option httpchk\n\thttp-check send meth GET uri / hdr User-Agent balancer/1.0" },
	} do
		it(name, function()
			async.run(function(t)
				local s = start(t, case[1])
				check(t, s, 20, case[2])
				local report = s:status().report
				assert.equal(0, report.sessions)
				assert.equal(1, #report.clones)
				s.p:stop()
			end, { timeout_ms = 90000 })
		end)
	end
end)

describe("clients that keep connections alive", function()
	-- Asks without a pause on one connection until that is announced to end. Returns how many were
	-- answered, or nil and what was lost.
	local function ask_on(t, port)
		local c, n = t.http_connect { port = port }, 0
		local jar = {}
		while true do
			local answer, err = c:request { jar = jar }
			if not answer then return nil, err end
			n = n + 1
			if answer.headers.connection == "close" then
				local rest = c:read_all()
				c:close()
				return rest == "" and n or nil, "more than the answer"
			end
		end
	end

	it("lose no request when the service ends", function()
		async.run(function(t)
			local s = gcscale.start(t, POLICY:format "drain_timeout = 60,")
			local finished, clients = 0, {}
			for i = 1, 20 do
				clients[i] = function()
					local n, lost = ask_on(t, s.port)
					assert.is_true(n and n > 0, lost)
					finished = finished + 1
				end
			end
			t.go(function()
				t.wait_until(function() return s:status().report.connections == 20 end)
				s.p:kill "sigterm"
			end)
			t.all(clients)
			assert.equal(20, finished)
			assert.equal(0, (s.p:wait()))
		end, { timeout_ms = 60000 })
	end)

	it("as ab -k does are told what becomes of them by answers of the proxy's own", function()
		async.run(function(t)
			local s = gcscale.start(t, POLICY:format "limits = { sessions = 1 },")
			local jar = {}
			for _ = 1, 2 do assert.equal(200, s:get("/", { jar = jar }).status) end
			local url = ("http://127.0.0.1:%d/"):format(s.port)
			local ab = t.spawn { "ab", "-q", "-k", "-n", "200", "-c", "4", url, foreign = true }
			assert.equal(0, ab:wait(), ab.stderr)
			assert.matches("Complete requests: +200\n", ab.stdout)
			assert.matches("Non%-2xx responses: +200\n", ab.stdout)
			assert.matches("Keep%-Alive requests: +200\n", ab.stdout)
			s.p:stop()
		end, { timeout_ms = 90000 })
	end)
end)

describe("a slow client", function()
	local PROGRAM = [[
		local uv = require "luv"
		local server = uv.new_tcp()
		assert(server:bind("127.0.0.1", tonumber(os.getenv "PORT")))
		server:listen(128, function()
			local client = uv.new_tcp()
			server:accept(client)
			client:read_start(function(err, data)
				if err or not data then return client:is_closing() or client:close() end
				client:write("HTTP/1.0 200 OK\r\n\r\n" .. ("x"):rep(1000000))
				client:shutdown(function() if not client:is_closing() then client:close() end end)
			end)
		end)
		uv.run()
	]]

	it("gets everything in tcp mode, also after the end and with a short stall_timeout", function()
		async.run(function(t)
			local keys = 'mode = "tcp", limits = { stall_timeout = 2 },'
			local s = gcscale.start(t, POLICY:format(keys), PROGRAM)
			local file = t.tmpdir() .. "/body"
			local curl = t.spawn { "curl", "-sS", "--limit-rate", "200k", "-o", file,
				("http://127.0.0.1:%d/"):format(s.port), foreign = true }
			assert.equal(0, curl:wait(), curl.stderr)
			assert.equal(1000000, uv.fs_stat(file).size)
			s.p:stop()
		end, { timeout_ms = 90000 })
	end)
end)
