-- The proxy beside HAProxy with one thread: requests for each second of CPU time, and in a second.
--
-- They take turns. Behind all is the same program, which gcscale has cloned. What gcscale does in
-- http mode HAProxy does too: it knows a user by a cookie, keeps connections alive, adds
-- X-Forwarded-For.

local paths = require "spec.support.paths"
local stats = require "spec.bench.support.stats"
local subject = require "spec.bench.support.subject"

local ROUNDS = 3
local SECONDS = 5
local CONNECTIONS = 32

local WORKLOADS = {
	{ name = "kept alive", path = "/", unit = "requests" },
	{ name = "a connection each", path = "/", unit = "requests", header = "Connection: close" },
	{ name = "1 MB bodies", path = "/big", unit = "MB" },
}

local POLICY = [[
return {
	listen = %d,
	app = { script = %q },
	clones = { min = 1, max = 1 },
	mode = %q,
}
]]

local HAPROXY = [[
global
	nbthread 1
	maxconn 4000
defaults
	timeout connect 10s
	timeout client 60s
	timeout server 60s
listen bench
	mode %s
	bind 127.0.0.1:%d
	%s
	server clone %s %s
]]

local HAPROXY_HTTP = "option forwardfor\n\tcookie SERVER insert indirect nocache httponly"

-- Exact numbers on one line.
local WRK_SCRIPT = [[
function done(summary)
	print(("result %d %d %d"):format(summary.requests, summary.bytes, summary.duration))
end
]]

local function write_file(t, name, text)
	local path = t.tmpdir() .. "/" .. name
	local file = assert(io.open(path, "w"))
	assert(file:write(text))
	assert(file:close())
	return path
end

-- CPU time of a process so far, in seconds: utime and stime, in ticks of 10 ms.
local function cpu_seconds(pid)
	local file = assert(io.open(("/proc/%d/stat"):format(pid)))
	local after_name = "%) %a" .. (" %S+"):rep(10)
	local utime, stime = file:read("a"):match(after_name .. " (%d+) (%d+)")
	file:close()
	return (utime + stime) / 100
end

-- The proxies: { name, host, port, pid, cookie = sent by a user who is known } --------------------

local function start_gcscale(t, mode)
	local port = t.free_port()
	local policy = POLICY:format(port, subject.programs .. "/fast.lua", mode)
	local p = t.spawn { paths.gcscale, write_file(t, "policy.lua", policy),
		env = subject.environment() }
	local ip, program_port = p:line("ready in .* at ([%d.]+):(%d+)", 20000)
	return { name = "gcscale " .. mode, mode = mode, host = "127.0.0.1", port = port,
		pid = p.pid, process = p,
		clone = { name = "no proxy", host = ip, port = tonumber(program_port) } }
end

local function start_haproxy(t, mode, clone)
	local port = t.free_port()
	local is_http = mode == "http"
	local server = ("%s:%d"):format(clone.host, clone.port)
	local config = HAPROXY:format(mode, port, is_http and HAPROXY_HTTP or "", server,
		is_http and "cookie clone" or "")
	local p = t.spawn { "haproxy", "-db", "-q", "-f", write_file(t, "haproxy.cfg", config) }
	t.wait_until(function()
		local c = t.connect { port = port }
		if c then c:close() end
		return c
	end, 10000, "haproxy")
	return { name = "HAProxy " .. mode, mode = mode, host = "127.0.0.1", port = port, pid = p.pid,
		process = p }
end

-- The cookie that the proxy gives to a new user.
local function learn_cookie(t, proxy)
	if proxy.mode ~= "http" then return end
	local response = assert(t.http { port = proxy.port })
	assert(response.status == 200, response.status)
	proxy.cookie = assert(response.headers["set-cookie"]):match("^[^;]+")
end

-- Measuring --------------------------------------------------------------------------------------

local function wrk_command(proxy, workload, script)
	local command = { "wrk", "-t1", "-c" .. CONNECTIONS, ("-d%ds"):format(SECONDS), "-s", script }
	local function header(text) table.move({ "-H", text }, 1, 2, #command + 1, command) end
	if workload.header then header(workload.header) end
	if proxy.cookie then header("Cookie: " .. proxy.cookie) end
	table.insert(command, ("http://%s:%d%s"):format(proxy.host, proxy.port, workload.path))
	return command
end

-- Returns the work done in a second, and for each second of the proxy's CPU time.
local function run_wrk(t, proxy, workload, script)
	local before = proxy.pid and cpu_seconds(proxy.pid)
	local p = t.spawn(wrk_command(proxy, workload, script))
	assert(p:wait((SECONDS + 20) * 1000) == 0, p:describe())
	assert(not p.stdout:find("Non-2xx", 1, true), p.stdout)
	local cpu = proxy.pid and cpu_seconds(proxy.pid) - before
	local requests, bytes, us = p.stdout:match("result (%d+) (%d+) (%d+)")
	assert(tonumber(requests) > 0, p.stdout)
	local work = workload.unit == "MB" and bytes / 1e6 or tonumber(requests)
	return work / (us / 1e6), cpu and work / cpu
end

local function measure(t, report, proxies, workload, script)
	local rates, costs = {}, {}
	for _, proxy in ipairs(proxies) do rates[proxy], costs[proxy] = {}, {} end
	for i = 1, ROUNDS do
		for _, proxy in ipairs(proxies) do
			rates[proxy][i], costs[proxy][i] = run_wrk(t, proxy, workload, script)
		end
	end
	local cost = {} -- of each proxy, by name
	for _, proxy in ipairs(proxies) do
		local what = ("%s: %s, %s"):format(workload.name, proxy.name, workload.unit)
		report:value(what .. "/s", stats.median(rates[proxy]))
		if proxy.pid then
			cost[proxy.name] = report:value(what .. " per CPU second", stats.median(costs[proxy]))
		end
	end
	for _, mode in ipairs { "http", "tcp" } do
		report:value(("%s: %s, gcscale / HAProxy per CPU second"):format(workload.name, mode),
			cost["gcscale " .. mode] / cost["HAProxy " .. mode])
	end
end

return {
	title = "the proxy beside HAProxy",
	run = function(t, report)
		local http, tcp = start_gcscale(t, "http"), start_gcscale(t, "tcp")
		local proxies = {
			http.clone,
			http, start_haproxy(t, "http", http.clone),
			tcp, start_haproxy(t, "tcp", http.clone),
		}
		for _, proxy in ipairs(proxies) do learn_cookie(t, proxy) end
		local script = write_file(t, "wrk.lua", WRK_SCRIPT)
		for _, workload in ipairs(WORKLOADS) do measure(t, report, proxies, workload, script) end
		for i = 2, #proxies do proxies[i].process:stop() end
	end,
}
