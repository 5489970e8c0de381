-- limit: 600 s
-- What explains and tries policies: why, check, dry runs, shadows, record and replay.

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local policy = require "gridcentric.config.load"
local replay = require "gridcentric.replay"
local trace = require "gridcentric.trace"

if puppet.missing then
	return it("gcscale", function() pending(puppet.missing) end)
end

local TWO_EACH = [[return {
	app = { script = "program.lua" }, clones = { max = 8 },
	scale = ratio { metric = "sessions", per_clone = 2 },
	cookieless_timeout = 0.5, session_timeout = 0.5,
	%s
}]]

local function read(path)
	local file = assert(io.open(path))
	local text = file:read "a"
	file:close()
	return text
end

-- gcscale with these arguments, to its end: exit status, stdout, stderr.
local function run(t, ...)
	local p = t.spawn { paths.gcscale, ... }
	return p:wait(), p.stdout, p.stderr
end

-- A policy file with a program beside it, neither of them running.
local function policy_file(t, text)
	return (gcscale.policy_file(t, text, ""))
end

-- n users, one after the other, who stay away then.
local function visit(s, n)
	for _ = 1, n do s:who("/", { jar = {} }) end
end

local function events(t, what)
	local found = {}
	local _, out = run(t, "events", "--json", "--limit", "1000")
	for _, event in ipairs(json.decode(out)) do
		if event.what == what then found[#found + 1] = event end
	end
	return found
end

describe("gcscale why", function()
	it("explains the last decision, or the one that is named", function()
		async.run(function(t)
			local s = gcscale.start(t, TWO_EACH:format "")
			visit(s, 3)
			s.p:line("clone 2 ready")
			t.wait_until(function() return #events(t, "ready") == 2 end, nil, "the ledger")
			local code, out = run(t, "why", "1", "--name", s.name)
			assert.equal(0, code)
			assert.matches("^Decision 1%. At .* the policy of .* asked for 1 clone: 1 session, 2 per "
				.. "clone%. There was none, so 1 was made %(clone 1, after %d+ ms%)%.\n$", out)
			s.p:line("clone 2 ended")
			t.wait_until(function() return #events(t, "ended") == 2 end, nil, "the ledger")
			code, out = run(t, "why")
			assert.equal(0, code)
			assert.matches("asked for no clone: 0 sessions, .* ended %(clone %d", out)
			s.p:stop()
		end)
	end)

	it("says that there is none", function()
		async.run(function(t)
			local code, _, err = run(t, "why")
			assert.equal(4, code)
			assert.equal("gcscale: nothing was decided yet\n", err)
			code, _, err = run(t, "why", "12")
			assert.equal(4, code)
			assert.equal("gcscale: there is no decision 12\n", err)
		end)
	end)
end)

describe("gcscale events --follow", function()
	it("streams what happens, also of services to come", function()
		async.run(function(t)
			local p = t.spawn { paths.gcscale, "events", "--follow" }
			local as_json = t.spawn { paths.gcscale, "events", "--follow", "--json" }
			local s = gcscale.start(t, TWO_EACH:format "")
			visit(s, 1)
			p:line("ready +1  clone 1 ready")
			local decoded
			as_json:line('"what":"ready"')
			for line in as_json.stdout:gmatch "[^\n]+" do
				decoded = assert(json.decode(line))
				if decoded.what == "ready" then break end
			end
			assert.equal(1, decoded.vmid)
			s.p:stop()
			for _, follower in ipairs { p, as_json } do
				follower:kill "sigint"
				assert.equal(2, select(2, follower:wait()))
				assert.equal("", follower.stderr)
			end
		end)
	end)
end)

describe("gcscale check", function()
	it("shows what a policy would do", function()
		async.run(function(t)
			local code, out, err = run(t, "check", policy_file(t, TWO_EACH:format ""))
			assert.equal("", err)
			assert.equal(0, code)
			assert.matches("SESSIONS +DESIRED +WANTED +REASON +LIMIT\n", out)
			assert.matches("\n +5 +3 +3  5 sessions, 2 per clone +%-\n", out)
			assert.matches("\n +100000 +50000 +8  [^\n]*  at most 8\n", out)
		end)
	end)

	it("refuses a file that is wrong, and one that fails", function()
		async.run(function(t)
			local code, _, err = run(t, "check", policy_file(t, "return { clonse = 1 }"))
			assert.equal(3, code)
			assert.matches('unknown key "clonse"', err)
			local out
			code, out, err = run(t, "check", policy_file(t, [[return {
				app = { script = "program.lua" }, scale = function() error "oops" end,
			}]]))
			assert.equal(3, code)
			assert.matches("policy.lua:2: oops", out)
			assert.matches("the policy fails\n$", err)
		end)
	end)

	it("looks at the shadow, too", function()
		async.run(function(t)
			local file = policy_file(t, TWO_EACH:format 'shadow = "other.lua",')
			local code, _, err = run(t, "check", file)
			assert.equal(3, code)
			assert.matches("other.lua: No such file", err)
			gcscale.write((file:gsub("policy.lua$", "other.lua")), [[return {
				app = { script = "program.lua" }, scale = ratio { per_clone = 1 },
			}]])
			local out
			code, out = run(t, "check", file)
			assert.equal(0, code)
			assert.matches("\nshadow:\nother: ", out)
			assert.matches("\n +5 +5 +5  5 sessions, 1 per clone", out)
		end)
	end)

	it("opens no socket and starts no process #pure", function()
		async.run(function(t)
			local log = t.tmpdir() .. "/log"
			local p = t.spawn { "strace", "-f", "-o", log,
				"-e", "trace=socket,socketpair,connect,bind,listen,clone,clone3,fork,vfork,execve",
				"lua5.4", paths.root .. "/lua/gcscale.lua", "check",
				policy_file(t, TWO_EACH:format "") }
			assert.equal(0, (p:wait()), p:describe())
			local calls = {}
			for call in read(log):gmatch "\n?%d+ +(%l[%w_]*)%(" do calls[#calls + 1] = call end
			assert.same({ "execve" }, calls)
		end)
	end)
end)

describe("gcscale --dry-run", function()
	it("serves with one clone, and tells what it would do", function()
		async.run(function(t)
			local s = gcscale.start(t, TWO_EACH:format "", nil, { args = { "--dry-run" } })
			for _ = 1, 5 do assert.equal(1, s:who("/", { jar = {} })) end
			s.p:line("would go from 2 to 3 clones: 5 sessions, 2 per clone")
			local p = t.spawn { paths.gcscale, "status", "--json" }
			assert.equal(0, (p:wait()))
			local report = json.decode(p.stdout)[1].report
			assert.is_true(report.dry_run)
			assert.equal(1, #report.clones)
			assert.equal(1, report.wanted)
			local _, out = run(t, "status")
			assert.matches("\n  dry run: %d+ clones", out)
			assert.equal(0, (s.p:stop()))
		end)
	end)

	it("is told nothing that is meant for the real one", function()
		async.run(function(t)
			local s = gcscale.start(t, TWO_EACH:format "")
			local dry = t.spawn { paths.gcscale, s.file, "--dry-run", "--listen", "127.0.0.1:0" }
			dry:line("listens on")
			local code, out = run(t, "scale", "2", "--name", s.name)
			assert.equal(0, code)
			assert.equal(s.name .. ": held at 2 clones\n", out)
			s.p:line("clone 2 ready")
			assert.not_matches("clone 2", dry.stdout)
			dry:stop()
			assert.equal(2, s:clones())
			s.p:stop()
		end)
	end)
end)

describe("a shadow", function()
	it("is shown where it differs, and does nothing", function()
		async.run(function(t)
			local s = gcscale.start(t, TWO_EACH:format 'shadow = "other.lua",', nil, {
				files = { ["other.lua"] = [[return {
					app = { script = "program.lua" }, scale = ratio { per_clone = 1 },
				}]] },
			})
			visit(s, 2)
			s.p:line("shadow other: 2 clones instead of 1: 2 sessions, 1 per clone")
			local shadow = s:status().report.shadow
			assert.equal("other", shadow.name)
			assert.is_true(shadow.differences >= 1)
			assert.equal(2, shadow.last.wanted)
			local _, out = run(t, "status")
			assert.matches("\n  shadow other: ", out)
			s.p:stop()
			assert.not_matches("clone 2 ready", s.p.stdout)
		end)
	end)
end)

describe("gcscale record", function()
	-- What was decided, in order: "1 session, 2 per clone: 0 -> 1".
	local function recorded_decisions(t)
		local list = {}
		for i, event in ipairs(events(t, "decision")) do
			local d = event.json
			list[i] = ("%s: %d -> %d"):format(d.reason, d.before, d.wanted)
		end
		return list
	end

	local function replayed_decisions(s, file)
		local list = {}
		replay.play(assert(policy.load(s.file)), assert(trace.read(io.lines(file), file)), nil,
			function(_, d) list[#list + 1] = ("%s: %d -> %d"):format(d.reason, d.before, d.wanted) end)
		return list
	end

	it("writes what replay decides in the same way", function()
		async.run(function(t)
			local s = gcscale.start(t,
				TWO_EACH:format "plan = { down = { window = 2, most = 1, period = 1 } },")
			local file = t.tmpdir() .. "/trace.csv"
			local recorder = t.spawn { paths.gcscale, "record", "-o", file }
			t.wait_until(function()
				local trace_file = io.open(file)
				local text = trace_file and trace_file:read "a"
				return text and text:find "\n"
			end, nil, "the header")
			local at_once = {}
			for i = 1, 5 do at_once[i] = function() return s:who("/", { jar = {} }) end end
			t.all(at_once)
			visit(s, 4)
			for _ = 1, 2 do s.p:line("clone %d ended") end
			visit(s, 2)
			s.p:line("%d %-> 0 clones")
			local line = "%d+ rows of " .. s.name:gsub("%p", "%%%0")
			t.wait_until(function() return #recorded_decisions(t) > 4 end, nil, "the ledger")
			recorder:kill "sigint"
			assert.equal(0, (recorder:wait()))
			assert.matches(line, recorder.stderr)
			s.p:stop()
			assert.same(recorded_decisions(t), replayed_decisions(s, file))
		end, { timeout_ms = 90000 })
	end)

	it("ends when the service does, and says which one is missing", function()
		async.run(function(t)
			local code, _, err = run(t, "record", "--name", "nobody")
			assert.equal(4, code)
			assert.equal("gcscale: no service nobody runs\n", err)
			local s = gcscale.start(t, TWO_EACH:format "")
			local recorder = t.spawn { paths.gcscale, "record" }
			recorder:line("^at,cause,sessions")
			recorder:line(",tick,0,0,")
			s.p:stop()
			assert.equal(0, (recorder:wait()))
		end)
	end)
end)

describe("gcscale replay", function()
	local function files(t)
		local file = policy_file(t, TWO_EACH:format "")
		local dir = file:match "^(.*)/"
		gcscale.write(dir .. "/other.lua", [[return {
			app = { script = "program.lua" }, scale = ratio { per_clone = 1 },
		}]])
		return dir, file, gcscale.write(dir .. "/trace.csv", "at,sessions\n0,0\n10,5\n3600,1\n7200,0\n")
	end

	it("shows what came of it, of several policies side by side", function()
		async.run(function(t)
			local dir, file, rows = files(t)
			local code, out, err = run(t, "replay", file, rows, dir .. "/other.lua")
			assert.equal("", err)
			assert.equal(0, code)
			assert.matches("\nclone%-hours +[%d.]+ +[%d.]+\n", out)
			assert.matches("\nclones made +3 +5\n", out)
			assert.matches("\nclones, other\n", out)
			local numbers
			code, numbers = run(t, "replay", file, rows, "--json", "--clone-time", "2s", "--denials", "0%")
			assert.equal(0, code)
			local result = json.decode(numbers)[1]
			assert.equal(3, result.made)
			assert.near(2, result.under_s, 0.1)
		end)
	end)

	it("is plain ASCII in the C locale, and of blocks in others", function()
		async.run(function(t)
			local _, file, rows = files(t)
			for locale, expected in pairs { C = false, ["C.UTF-8"] = true } do
				local p = t.spawn { paths.gcscale, "replay", file, rows, env = { LC_ALL = locale } }
				assert.equal(0, (p:wait()))
				assert.equal(expected, p.stdout:find "[\128-\255]" ~= nil)
			end
		end)
	end)

	it("draws the same as SVG", function()
		async.run(function(t)
			local dir, file, rows = files(t)
			local code = run(t, "replay", file, rows, dir .. "/other.lua", "--svg", dir .. "/chart.svg")
			assert.equal(0, code)
			assert.matches("^<svg .*>other</title>.*</svg>\n$", read(dir .. "/chart.svg"))
			local _, _, err = run(t, "replay", file, rows, "--svg", dir .. "/nowhere/chart.svg")
			assert.matches("nowhere/chart.svg: No such file", err)
		end)
	end)

	it("says what is wrong with policy, trace and options", function()
		async.run(function(t)
			local dir, file, rows = files(t)
			local wrong = gcscale.write(dir .. "/wrong.csv", "at,sessions\n0,many\n")
			for args, expected in pairs {
				[{ dir .. "/nowhere.lua", rows }] = { 3, "nowhere.lua: No such file" },
				[{ file, dir .. "/nowhere.csv" }] = { 1, "nowhere.csv: No such file" },
				[{ file, dir }] = { 1, ": Is a directory" },
				[{ dir, rows }] = { 3, ": Is a directory" },
				[{ file, rows, "--svg", dir }] = { 1, ": Is a directory" },
				[{ file, rows, "--svg", "/dev/full" }] = { 1, "/dev/full: No space left" },
				[{ file, wrong }] = { 1, "wrong.csv:2: sessions: a number from 0 expected" },
				[{ file, rows, "--denials", "110%" }] = { 2, "a share such as \"10%%\" expected" },
				[{ file, rows, "--clone-time", "soon" }] = { 2, "a time such as \"5ms\" expected" },
				[{ file }] = { 2, "missing argument 'trace.csv'" },
			} do
				local code, _, err = run(t, "replay", table.unpack(args))
				assert.equal(expected[1], code)
				assert.matches(expected[2], err)
				assert.not_matches("traceback", err)
			end
		end)
	end)

	it("names the metrics that a policy needs and the trace lacks", function()
		async.run(function(t)
			local dir, _, rows = files(t)
			local with_cpu = gcscale.write(dir .. "/cpu.csv",
				"at,sessions,clones,cpu\n0,4,2,0.9\n10,4,2,0.9\n")
			for scale, expected in pairs {
				['target { metric = "cpu", value = "60%" }'] = "cpu",
				['max_of { ratio {}, target { metric = "latency.p95", value = "60 ms" } }'] = "latency.p95",
				['target { metric = "requests", value = 10 }'] = "requests",
				['target { metric = "my.jobs", value = 10 }'] = "my.jobs",
				['rules [[up 1 when cpu > 60%]]'] = "cpu",
			} do
				local file = gcscale.write(dir .. "/needs.lua",
					('return { app = { script = "program.lua" }, scale = %s }'):format(scale))
				local code, _, err = run(t, "replay", file, rows)
				assert.equal(0, code)
				assert.equal(("gcscale: needs: %s is not in this trace\n"):format(expected), err)
				_, _, err = run(t, "replay", file, with_cpu)
				assert.equal(expected == "cpu" and "" or
					("gcscale: needs: %s is not in this trace\n"):format(expected), err)
			end
		end, { timeout_ms = 60000 })
	end)

	it("writes the keys of its JSON in order", function()
		async.run(function(t)
			local _, file, rows = files(t)
			local _, out = run(t, "replay", file, rows, "--json")
			local keys = {}
			for key in out:gmatch '"([%l_]+)":' do keys[#keys + 1] = key end
			assert.is_true(#keys > 8)
			local sorted = table.move(keys, 1, #keys, 1, {})
			table.sort(sorted)
			assert.same(sorted, keys)
			assert.equal(out, select(2, run(t, "replay", file, rows, "--json")))
		end)
	end)
end)
