local async = require "spec.support.async"
local boot_line = require "gridcentric.cli.boot_line"
local columns = require "gridcentric.cli.columns"
local history = require "gridcentric.cli.history"
local journal = require "gridcentric.cli.journal"
local paths = require "spec.support.paths"
local status = require "gridcentric.cli.status"
local terminal = require "gridcentric.cli.terminal"

local plain = terminal.new(false)

describe("cli", function()
	describe("columns", function()
		local titles = { { title = "NAME" }, { title = "N", right = true }, { title = "TEXT" } }

		it("aligns cells, also with characters of several bytes", function()
			assert.same({
				"NAME      N  TEXT",
				"größer    1  -",
				"x       100  y z",
			}, columns.lay_out(titles, { { "größer", "1", "" }, { "x", "100", "y z" } }))
		end)

		it("cuts lines to the terminal", function()
			assert.same({ "NAME   N…", "größe  1…" },
				columns.lay_out(titles, { { "größe", "1", "a long text" } }, 9))
		end)
	end)

	describe("terminal", function()
		it("paints where there is one that shows colours", function()
			local function env(values) return function(name) return values[name] end end
			local colour = "\27[31mx\27[0m"
			assert.equal(colour, terminal.new(true, 80, env {}).paint("red", "x"))
			assert.equal(colour, terminal.new(true, 80, env { NO_COLOR = "" }).paint("red", "x"))
			assert.equal("x", terminal.new(true, 80, env { NO_COLOR = "1" }).paint("red", "x"))
			assert.equal("x", terminal.new(true, 80, env { TERM = "dumb" }).paint("red", "x"))
			assert.equal("x", terminal.new(false, nil, env {}).paint("red", "x"))
			assert.equal("x", terminal.new(true, 80, env {}).paint(nil, "x"))
		end)
	end)

	describe("boot_line", function()
		it("is shown on a terminal, until it is stopped", function()
			local shown = {}
			local stop = boot_line.start(terminal.new(true, 80, function() end), "chat.img",
				function(text) shown[#shown + 1] = text end)
			stop()
			stop()
			assert.same({ "\rchat.img boots: 0 s\27[K", "\r\27[K" }, shown)
		end)

		it("is not shown elsewhere", function()
			boot_line.start(plain, "chat.img", error)()
		end)
	end)

	it("knows whether the terminal shows more than ASCII", function()
		for expected, values in pairs {
			[true] = { { LANG = "en_US.UTF-8" }, { LC_ALL = "C.utf8" }, { LC_ALL = "", LANG = "C.UTF-8" } },
			[false] = { {}, { LC_ALL = "C", LANG = "en_US.UTF-8" }, { LC_CTYPE = "de_DE.ISO-8859-1" } },
		} do
			for _, env in ipairs(values) do
				local shown = terminal.new(false, nil, function(name) return env[name] end)
				assert.equal(expected, shown.is_unicode)
			end
		end
	end)

	describe("journal", function()
		local function lines_of(shown)
			local lines = {}
			local log = journal.new(shown, function(line) lines[#lines + 1] = line end,
				function() return 1700000000 end)
			log.event("ready", 3, "clone 3\n\xC2\x9Bready")
			log.event("decision", nil, "0 -> 1 clones")
			return lines
		end

		it("is to be parsed where nobody reads it", function()
			assert.same({
				"2023-11-14T22:13:20Z ready 3 clone 3 ready",
				"2023-11-14T22:13:20Z decision - 0 -> 1 clones",
			}, lines_of(plain))
		end)

		it("is to be read on a terminal", function()
			local lines = lines_of(terminal.new(true, 80, function() end))
			assert.matches("^\27%[2m%d%d:%d%d:%d%d\27%[0m  \27%[32mclone 3 ready\27%[0m$", lines[1])
		end)
	end)

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
					requests = 12.34, errors = 0, latency = { p50 = 0.01, p95 = 0.2, p99 = 1 },
					cpu = 0.25, memory = 5e6, my = { queue = 3 },
				},
				admin = "127.0.0.1:9400", missing = "metric my.jobs is missing",
				metric_errors = { jobs = "ECONNREFUSED" },
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
				"  12.3 requests/s, 0 errors/s, latency 10 ms, p95 200 ms, cpu 25%, memory 5 MB, my.queue 3",
				"  2 clones wanted for 7 s: 5 sessions, 2 per clone",
				"  limit: at most 2",
				"  metrics at 127.0.0.1:9400",
				"  missing: metric my.jobs is missing",
				"  my.jobs cannot be had: ECONNREFUSED",
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

		it("shows a program that clones itself", function()
			state.report = nil
			assert.same({
				"chat, engine 71",
				"  DOMAIN  STATE  PID  HOST   ENDPOINTS",
				"       1  ready   81  local  127.64.0.1:8001",
			}, status.lines(state, plain))
		end)
	end)

	it("shows rows of the ledger, each on one line", function()
		local lines = history.lines("events", {
			{ at = 1700000000123, engine = "chat-71", what = "died", vmid = 3, text = "a\n\xC2\x9Bb" },
			{ at = 1700000000123, engine = "chat-71", what = "decision", json = { id = 12 } },
		})
		assert.equal(3, #lines)
		assert.matches("^TIME +SERVICE +EVENT +CLONE +TEXT$", lines[1])
		assert.matches("^%d+%-%d+%-%d+ [%d:]+%.123  chat%-71  died +3  a b$", lines[2])
		assert.matches("decision 12 +%-  %-$", lines[3])
	end)

	it("shows an event on a line of its own, to be followed", function()
		local line = history.line {
			at = 1700000000123, engine = "chat-71", what = "died", vmid = 3, text = "a\nb",
		}
		assert.matches("^%d+%-%d+%-%d+ [%d:]+%.123  chat%-71  +died  +3  a b$", line)
		assert.matches("decision +%-  x$", history.line {
			at = 0, engine = "c-1", what = "decision", text = "x",
		})
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
			"  shadow other: 2 clones, too: so", "  shadow other: limit: at most 2",
			"  shadow other fails: oops",
		}, lines_of { shadow = {
			name = "other", wanted = 2, reason = "so", differs = false, limit = "at most 2",
			policy_error = "oops",
		} })
	end)

	describe("gcscale", function()
		-- Runs it to its end: exit status, stdout, stderr.
		local function gcscale(t, ...)
			local process = t.spawn { paths.gcscale, ... }
			return process:wait(), process.stdout, process.stderr
		end

		it("explains itself", function()
			async.run(function(t)
				local code, out = gcscale(t, "--help")
				assert.equal(0, code)
				for _, command in ipairs {
					"run", "status", "tickets", "events",
					"reload", "pause", "resume", "scale", "drain", "kill", "run%-image", "image",
				} do
					assert.matches("\n +" .. command .. " ", out)
				end
				code, out = gcscale(t, "--version")
				assert.equal(0, code)
				assert.matches("^gcscale %d+%.%d+%.%d+\n$", out)
			end)
		end)

		it("ends with status 2 where the command line is wrong", function()
			async.run(function(t)
				for args, expected in pairs {
					[{}] = "a command is required",
					[{ "statsu" }] = "no such command or file: statsu %(did you mean status%?%)",
					[{ "events", "--limit", "0" }] = 'a whole number from 1 expected, got "0"',
					[{ "x.lua", "--listen", "nowhere" }] = "%-%-listen: a port or",
					[{ "x.lua", "--lisen", "1" }] = "unknown option",
					[{ "run-image" }] = "missing argument 'image'",
					[{ "run-image", "x", "--memory", "1" }] = '%-%-memory: a size such as "256M" or "2 GB"',
					[{ "run-image", "x", "--cpus", "x" }] = "%-%-cpus: a whole number from 1 to 255",
					[{ "run-image", "x", "--accel", "hvf" }] = '%-%-accel: "auto", "kvm" or "tcg"',
					[{ "run-image", "x", "--port", "65536" }] = "%-%-port: a port from 0 to 65535 expected",
					[{ "run-image", "x", "--name", "@" }] = "%-%-name: a name of letters",
					[{ "run-image", "x", "--forward", "a:1" }] = "%-%-forward: a port or",
					[{ "run-image", "x", "--port", "0", "--forward", "1" }] = "%-%-forward needs a %-%-port",
					[{ "image", "check" }] = "missing argument 'image'",
				} do
					local code, _, err = gcscale(t, table.unpack(args))
					assert.equal(2, code)
					assert.matches(expected, err)
				end
			end)
		end)

		it("ends with status 3 where the policy file is wrong", function()
			async.run(function(t)
				local path = t.tmpdir() .. "/policy.lua"
				local file = assert(io.open(path, "w"))
				file:write "return { listn = 8080 }"
				file:close()
				local code, _, err = gcscale(t, path)
				assert.equal(3, code)
				assert.equal(("gcscale: %s: %s\n"):format(path,
					'unknown key "listn" (did you mean "listen"?)'), err)
				code, _, err = gcscale(t, "/nowhere.lua")
				assert.equal(3, code)
				assert.equal("gcscale: /nowhere.lua: No such file or directory\n", err)
			end)
		end)

		it("ends with status 4 where nothing runs", function()
			async.run(function(t)
				local code, out, err = gcscale(t, "status")
				assert.equal(4, code)
				assert.equal("", out)
				assert.equal("gcscale: nothing runs\n", err)
				code, out = gcscale(t, "status", "--json")
				assert.equal(4, code)
				assert.equal("[]\n", out)
			end)
		end)
	end)
end)
