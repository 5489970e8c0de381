-- Whole runs of gcscale: what it measures, what it shows.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local parser = require "gridcentric.metrics.exposition_parser"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("gcscale", function() pending(puppet.missing) end)
end

-- A program that tells how it is: /work burns processor time, /grow makes memory its own, /fail is
-- an error, /jobs says how many jobs it has, in Prometheus' format; also by gc.metric().
local program = [[
local gc = require "gridcentric"
local uv = require "luv"
local kept = {}
local ballast = {}
for i = 1, 200000 do ballast[i] = { i } end
gc.on_clone(function(vmid) gc.metric("jobs", vmid) end)
local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(os.getenv "PORT")))
local pages = {}
pages["/work"] = function()
	local till = os.clock() + 0.4
	while os.clock() < till do kept.x = till end
	return 200, "worked"
end
pages["/grow"] = function()
	kept.text = ("x"):rep(30 * 1024 * 1024)
	return 200, "grown"
end
pages["/fail"] = function() return 500, "failed" end
pages["/jobs"] = function()
	return 200, ('# TYPE jobs gauge\njobs{kind="a"} %d\njobs{kind="b"} 100\n'):format(gc.vmid())
end
server:listen(128, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err, data)
		if err or not data then return client:is_closing() or client:close() end
		local page = pages[data:match "^%u+ (%S+)"]
		local status, text = 200, tostring(gc.vmid())
		if page then status, text = page() end
		client:write(("HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s"):format(status, #text, text))
	end)
end)
uv.run()
]]

-- gcscale with a policy that is this text, up and listening.
local function start(t, policy)
	return gcscale.launch(t, (gcscale.policy_file(t, policy, program)))
end

-- What is at a unix socket, by curl; nil: nothing.
local function get_unix(t, path)
	local p = t.spawn { "curl", "-sS", "--unix-socket", path, "http://admin/metrics",
		foreign = true }
	return p:wait() == 0 and p.stdout or nil
end

local function report(t)
	local p = t.spawn { paths.gcscale, "status", "--json" }
	assert.equal(0, (p:wait()))
	return json.decode(p.stdout)[1].report
end

-- Waits for a report that the predicate likes.
local function wait_report(t, what, predicate)
	return t.wait_until(function()
		local r = report(t)
		return predicate(r) and r
	end, nil, what)
end

local function get(t, port, path, jar)
	return t.http { port = port, path = path, jar = jar }
end

describe("gcscale", function()
	it("knows requests, errors, latency, processor time, memory and heap", function()
		async.run(function(t)
			local p, port = start(t, [[return {
				app = { script = "program.lua" }, clones = { min = 1, max = 1 },
				scale = function() return 1 end,
			}]])
			local jar = {}
			local before = wait_report(t, "the first measures", function(r)
				return r.load.memory and r.load.heap
			end)
			assert.is_true(before.load.heap > 10e6, "heap " .. before.load.heap)
			for _ = 1, 3 do assert.equal(200, get(t, port, "/work", jar).status) end
			get(t, port, "/grow", jar)
			assert.equal(500, get(t, port, "/fail", jar).status)
			local r = wait_report(t, "a busy clone", function(r)
				return (r.load.cpu or 0) > 0.2 and r.load.requests > 0
			end)
			assert.is_true(r.load.latency.p99 > 0.2 and r.load.latency.p99 >= r.load.latency.p50)
			wait_report(t, "the error", function(now) return now.load.errors > 0 end)
			assert.equal(r.load.cpu, r.clones[1].cpu)
			wait_report(t, "memory", function(now)
				return now.load.memory > before.load.memory + 30e6
			end)
			p:stop()
		end)
	end)

	it("scales by what the clones tell, and forgets those that are gone", function()
		async.run(function(t)
			local p = start(t, [[return {
				app = { script = "program.lua" }, clones = { min = 1, max = 3 },
				scale = function(now, sample)
					if not sample.my.jobs then return nil, "metric my.jobs is missing", "MISSING" end
					return sample.my.jobs + 1
				end,
			}]])
			local r = wait_report(t, "three clones", function(r)
				return #r.clones == 3 and r.load.my.jobs == 6
			end)
			assert.is_nil(r.missing)
			require("luv").kill(r.clones[2].pid, "sigkill")
			p:line("clone 2 died")
			wait_report(t, "the jobs of those that are left", function(now)
				return now.load.my.jobs ~= 6
			end)
			p:stop()
		end)
	end)

	it("asks each clone at its endpoint, and says why it cannot", function()
		async.run(function(t)
			local p = start(t, ([[return {
				app = { script = "program.lua" }, clones = { min = 3, max = 3 },
				scale = function() return 3 end,
				metrics = {
					jobs = { clones = "/jobs", metric = "jobs", match = { kind = "a" }, every = 1 },
					lost = { url = "http://127.0.0.1:%d/metrics", metric = "lost", every = 1 },
				},
			}]]):format(t.free_port()))
			local r = wait_report(t, "the sum of all jobs", function(r) return r.load.my.jobs == 6 end)
			assert.is_nil(r.load.my.lost)
			assert.equal("ECONNREFUSED", r.metric_errors.lost)
			local text = t.spawn { paths.gcscale, "status" }
			text:wait()
			assert.matches("my.jobs 6", text.stdout)
			assert.matches("my.lost is unavailable: ECONNREFUSED", text.stdout)
			p:stop()
		end)
	end)

	it("goes by a real exporter, and by on_missing when that is gone", function()
		async.run(function(t)
			local exporter_port = t.free_port()
			local exporter = t.spawn { "prometheus-node-exporter", foreign = true,
				"--web.listen-address=127.0.0.1:" .. exporter_port }
			t.wait_until(function() return (t.http { port = exporter_port, path = "/metrics" }) end)
			local p = start(t, ([[return {
				app = { script = "program.lua" }, clones = { min = 1, max = 4 },
				metrics = { cpus = { url = "http://127.0.0.1:%d/metrics",
					metric = "node_cpu_seconds_total", match = { mode = "idle" }, aggregate = "min", every = 1 } },
				scale = function(now, sample)
					local idle = sample.my.cpus
					if not idle then return nil, "metric my.cpus is missing", "MISSING" end
					return idle > 0 and 2 or 1
				end,
				on_missing = "max",
			}]]):format(exporter_port))
			wait_report(t, "two clones", function(r) return not r.missing and r.desired == 2 end)
			exporter:stop()
			p:line("my.cpus is missing: ECONNREFUSED")
			local r = wait_report(t, "four clones", function(r) return #r.clones == 4 end)
			assert.equal("metric my.cpus is missing", r.missing)
			p:stop()
		end)
	end)

	it("shows all of that at /metrics, to promtool's liking", function()
		async.run(function(t)
			local admin = t.free_port()
			local p, port = start(t, ([[return {
				app = { script = "program.lua" }, clones = { min = 1, max = 2 }, admin = "127.0.0.1:%d",
				scale = function() return 2 end, sticky = "cookie",
			}]]):format(admin))
			for _ = 1, 3 do get(t, port, "/", {}) end
			get(t, port, "/fail", { ["gridcentric-" .. port] = "forged" })
			wait_report(t, "the measures of both clones", function(r)
				local one, two = r.clones[1], r.clones[2]
				return two and one.cpu and one.memory and two.cpu and two.memory
			end)
			local answer = get(t, admin, "/metrics")
			assert.equal("text/plain; version=0.0.4; charset=utf-8", answer.headers["content-type"])
			local values = {}
			for _, s in ipairs(assert(parser.parse(answer.body)).samples) do
				local _, label = next(s.labels)
				values[s.name:gsub("^gridcentric_", "") .. (label and " " .. label or "")] = s.value
			end
			assert.equal(4, values.requests_total)
			assert.equal(3, values["responses_total 2xx"])
			assert.equal(1, values["responses_total 5xx"])
			assert.equal(4, values.request_duration_seconds_count)
			assert.equal(1, values["unknown_cookies_total forged"])
			assert.equal(2, values["clones ready"])
			assert.is_true(values["clone_memory_bytes 1"] > 100000)
			local tool = t.spawn { "promtool", "check", "metrics", stdin = answer.body, foreign = true }
			assert.equal(0, (tool:wait()), tool:describe())
			assert.equal(404, get(t, admin, "/").status)
			p:stop()
		end)
	end)
end)

describe("a program that scales itself", function()
	it("shows how it is, also when it has clones", function()
		async.run(function(t)
			local dir = t.tmpdir()
			local socket, own, public = dir .. "/admin.sock", t.free_port(), t.free_port()
			local setup = ([[
				require("gridcentric.autoscale").setup(%d, %d, { admin = "unix:%s", min = 2 })
			]]):format(public, own, socket)
			local file = gcscale.write(dir .. "/program.lua", (program:gsub("uv.run%(%)", function(run)
				return setup .. run
			end)))
			local p = t.spawn { "lua5.4", file, env = { PORT = tostring(own) } }
			p:errline("listens on")
			t.wait_until(function()
				local text = get_unix(t, socket)
				return text and text:find('own_metric{name="jobs"} 3', 1, true)
					and text:find('clones{state="ready"} 2', 1, true)
			end, nil, "the metrics of two clones")
			local heap = get_unix(t, socket):match "program_heap_bytes (%d+)"
			assert.is_true(tonumber(heap) > 10e6)
			assert.equal(200, get(t, public, "/", {}).status)
			require("luv").kill(report(t).clones[1].pid, "sigterm")
			p:errline("clone 1 died")
			assert.is_string(get_unix(t, socket))
			p:stop()
		end)
	end)
end)
