local status = require "gridcentric.cli.status"
local terminal = require "gridcentric.cli.terminal"

local plain = terminal.new(false)

describe("status", function()
	local state = {
		name = "chat", pid = 71, cpus = 512, free = 510,
		domains = { { vmid = 1, pid = 81, state = "ready", host = "local",
			endpoints = { [8001] = "127.64.0.1:8001" } } },
	}

	it("shows a service", function()
		state.report = {
			name = "chat", listen = "127.0.0.1:8080", mode = "http",
			program = { runs = true, port = 8001 },
			wanted = 2, wanted_for = 7, desired = 3,
			reason = "5 sessions, 2 per clone", limit = "at most 2",
			sessions = 5, connections = 6, held = 1,
			load = {
				requests = 1570, errors = 0, latency = { p50 = 0.01, p95 = 0.2, p99 = 1 },
				cpu = 0.25, memory = 5e6, my = { queue = 3 },
			},
			admin = "127.0.0.1:9400", missing = "metric my.jobs is missing",
			metric_errors = { jobs = "connection refused" },
			clones = {
				{ vmid = 1, state = "ready", address = "127.64.0.1:8001", pid = 81, age = 12.5,
					sessions = 3, connections = 4, cpu = 0.5, memory = 2.5e6 },
				{ state = "starting", sessions = 2, connections = 2, age = 0.1 },
			},
			counters = {},
		}
		assert.same({
			"chat, engine 71: http on 127.0.0.1:8080, program on port 8001",
			"  5 sessions, 6 connections, 1 waiting",
			"  1570 requests/s, 0 errors/s, latency 10 ms, p95 200 ms, cpu 25%, memory 5 MB, my.queue 3",
			"  2 clones wanted for 7 s: 5 sessions, 2 per clone",
			"  limit: at most 2",
			"  metrics at 127.0.0.1:9400",
			"  missing: metric my.jobs is missing",
			"  my.jobs is unavailable: connection refused",
			"  CLONE  STATE        FOR  ADDRESS          PID  SESSIONS  CONNECTIONS  CPU  MEMORY",
			"      1  ready     12.5 s  127.64.0.1:8001   81         3            4  50%  2.5 MB",
			"      -  starting  100 ms  -                  -         2            2    -       -",
		}, status.lines(state, plain))
	end)

	it("shows nothing that commands a terminal", function()
		state.report.reason, state.report.clones[1].address = "so\xC2\x9B2J", "\27\xC2\x9Bx"
		local lines = status.lines(state, plain)
		assert.equal("  2 clones wanted for 7 s: so 2J", lines[4])
		assert.is_nil(table.concat(lines):find "[%c\x9B]")
	end)

	it("shows a reason of any length and of any bytes in a bounded line of UTF-8", function()
		state.report.reason = "\255" .. ("€"):rep(1000000)
		local line = status.lines(state, plain)[4]
		assert.is_true(#line < 5000)
		assert.is_truthy(utf8.len(line))
	end)

	it("shows no latency while nothing is asked", function()
		state.report.load.latency = { p50 = 0, p95 = 0, p99 = 0 }
		assert.matches("^  1570 requests/s, 0 errors/s, cpu 25%%,", status.lines(state, plain)[3])
	end)

	it("names an engine that does not answer", function()
		assert.same({ "chat, engine 71: no answer within 2 s" },
			status.lines({ name = "chat", pid = 71, error = "no answer within 2 s" }, plain))
	end)

	it("shows a program that clones itself", function()
		state.report = nil
		assert.same({
			"chat, engine 71",
			"  DOMAIN  STATE  PID  HOST   ENDPOINTS",
			"       1  ready   81  local  127.64.0.1:8001",
		}, status.lines(state, plain))
	end)

	it("shows another policy, and a dry run, beside a service", function()
		local function lines_of(changes)
			local report = {
				name = "chat", listen = "x", mode = "http", program = { runs = true, port = 1 },
				wanted = 2, wanted_for = 1, reason = "r", sessions = 0, connections = 0, held = 0,
				metric_errors = {}, clones = {},
				load = { requests = 0, errors = 0, latency = { p50 = 0, p95 = 0, p99 = 0 }, my = {} },
				shadow = {
					name = "other", wanted = 3, reason = "so", differs = true, differences = 2,
					last = { ago = 5, wanted = 3, instead_of = 2, reason = "so" },
				},
			}
			for key, value in pairs(changes) do report[key] = value end
			local lines = status.lines({ name = "chat", pid = 1, report = report }, plain)
			return table.move(lines, 5, #lines, 1, {})
		end
		assert.same({
			"  shadow other: 3 clones instead of 2: so",
			"  shadow other: differed 2 times, last 5 s ago: 3 instead of 2, so",
		}, lines_of {})
		assert.same({ "  dry run: 3 clones instead of 2: so" }, lines_of { dry_run = true })
		assert.same({
			"  shadow other: 2 clones as well: so", "  shadow other: limit: at most 2",
			"  shadow other fails: oops",
		}, lines_of { shadow = {
			name = "other", wanted = 2, reason = "so", differs = false, limit = "at most 2",
			policy_error = "oops",
		} })
		assert.same({
			"  shadow other: 1 clone instead of 2: so",
			"  shadow other: differed once, last 5 s ago: 1 instead of 2, so",
		}, lines_of { shadow = {
			name = "other", wanted = 1, reason = "so", differs = true, differences = 1,
			last = { ago = 5, wanted = 1, instead_of = 2, reason = "so" },
		} })
	end)
end)
