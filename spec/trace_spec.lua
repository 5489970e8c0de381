local policy_support = require "spec.support.policy"
local trace = require "gridcentric.trace"

describe("trace", function()
	local function read(text) return trace.read(text:gmatch "[^\n]*", "t.csv") end

	local function error_of(text)
		local t, err = read(text)
		assert.is_nil(t)
		return err
	end

	it("reads what was written by hand", function()
		local t = assert(read "# a comment\nat, sessions\n0,1\n\n2.5, 3\r\n4,2.2\n")
		assert.same({ 0, 2.5, 4 }, t.at)
		assert.same({ 1, 3, 3 }, t.sessions)
		assert.equal(t.sessions, t.connections)
		assert.equal(3, t.n)
		assert.is_nil(t.cause)
	end)

	it("needs connections only, in any order of columns", function()
		local t = assert(read "connections,at\n3,0\n")
		assert.same({ 3 }, t.sessions)
	end)

	it("reads metrics, known or not", function()
		local t = assert(read "at,sessions,cpu,latency.p95,my.jobs\n0,1,0.5,,7\n1,1,,0.25,8\n")
		local first, second = trace.measured(t, 1), trace.measured(t, 2)
		assert.equal(0.5, first.cpu)
		assert.is_nil(first.latency.p95)
		assert.equal(7, first.my.jobs)
		assert.is_nil(second.cpu)
		assert.equal(0.25, second.latency.p95)
		assert.equal(0, second.requests)
	end)

	it("begins other columns where there is another header", function()
		local t = assert(read "at,sessions\n0,1\nat,sessions,my.jobs\n1,2,5\n")
		assert.same({ 1, 2 }, t.sessions)
		assert.same({}, trace.measured(t, 1).my)
		assert.same({ jobs = 5 }, trace.measured(t, 2).my)
	end)

	it("says what is wrong, and where", function()
		for text, expected in pairs {
			[""] = "t.csv: no rows",
			["at,sessions\n"] = "t.csv: no rows",
			["0,1\n"] = "t.csv:1: a first line with the names of columns expected",
			["sessions\n1\n"] = "t.csv:1: at: missing among the columns",
			["at,cpu\n0,1\n"] = "t.csv:1: sessions or connections: missing among the columns",
			["at,sesions\n0,1\n"] = 't.csv:1: unknown column "sesions" (did you mean "sessions"?)',
			["at,sessions,at\n"] = 't.csv:1: column "at" comes twice',
			["at,sessions\nx,1\n"] = 't.csv:2: at: a number of seconds expected, got "x"',
			["at,sessions\n5,1\n4,1\n"] = "t.csv:3: at: 4 is before the row above",
			["at,sessions\n0,-1\n"] = 't.csv:2: sessions: a number from 0 expected, got "-1"',
			["at,sessions\n0,\n"] = 't.csv:2: sessions: a number from 0 expected, got ""',
			["at,sessions\n0,nan\n"] = 't.csv:2: sessions: a number from 0 expected, got "nan"',
			["at,sessions\n0\n"] = "t.csv:2: 2 columns expected, got 1",
			["at,sessions,cpu\n0,1,much\n"] = 't.csv:2: cpu: a number or nothing expected, got "much"',
		} do assert.equal(expected, error_of(text)) end
	end)

	it("refuses times that cannot be played, with the line", function()
		local function at(rows) return (error_of("at,sessions\n" .. rows)) end
		for _, cell in ipairs { "1e999", "-1e999", "1e16", "1700000000000" } do
			assert.equal(('t.csv:2: at: a number of seconds up to 1e+11 expected, got "%s"'):format(cell),
				at(cell .. ",3\n"))
		end
		assert.matches("^t.csv:2: ", at "1e16,3\n10000000000000008,3\n")
		assert.matches('^t.csv:2: at: a number of seconds expected, got "nan"', at "nan,3\n")
		assert.equal("t.csv:3: at: 1700000000 is 19675.9 days after the row above (with --gaps it is "
			.. "replayed)", at "0,1\n1700000000,1\n")
		assert(read "at,sessions\n0,1\n86400,1\n")
		local rows = ("at,sessions\n0,1\n1700000000,1\n"):gmatch "[^\n]+"
		assert.equal(2, assert(trace.read(rows, "t.csv", true)).n)
		assert.matches("^t.csv:2: sessions: a number up to 1000000 expected", at "0,1e9\n")
		assert.matches("^t.csv:2: sessions: ", at "0,1e999\n")
		assert.matches("^t.csv:2: cpu: a number or nothing expected", error_of
			"at,sessions,cpu\n0,1,1e999\n")
	end)

	it("cuts long cells in messages", function()
		local long = ("x"):rep(200000)
		for _, text in ipairs {
			"at,sessions\n" .. long .. ",1\n", "at,sessions\n0," .. long .. "\n",
			"at,sessions," .. long .. "\n", "at,sessions,cpu\n0,1," .. long .. "\n",
		} do assert.is_true(#error_of(text) < 200) end
	end)

	it("reads what spreadsheets export", function()
		for _, text in ipairs {
			"\u{FEFF}at,sessions,cpu\r\n0,2,0.5\r\n",
			'"at","sessions","cpu"\n"0","2","0.5"\n',
			"\u{FEFF}at;sessions;cpu\n0;2;0,5\n",
			"at\tsessions\tcpu\n0\t2\t0,5\n",
		} do
			local t = assert(read(text))
			assert.same({ 0 }, t.at)
			assert.same({ 2 }, t.sessions)
			assert.equal(0.5, trace.measured(t, 1).cpu)
		end
	end)

	it("reads what it wrote", function()
		local columns = trace.columns { "jobs" }
		local sample = policy_support.sample {
			sessions = 3, connections = 4, clones = 2, denied = 0, requests = 1.5, cpu = 0.25, heap = 1000,
			latency = { p50 = 0.001, p95 = 0.002, p99 = 0.003 }, my = { jobs = 9 },
		}
		local row = trace.row(columns, { at = 12.5, cause = "tick", desired = 2, wanted = 1 }, sample)
		local t = assert(read(columns.header .. "\n" .. row .. "\n"))
		assert.same({ 12.5 }, t.at)
		assert.same({ "tick" }, t.cause)
		assert.same({ 3 }, t.sessions)
		assert.same({ 4 }, t.connections)
		local m = trace.measured(t, 1)
		assert.equal(2, m.clones)
		assert.equal(0.25, m.cpu)
		assert.equal(0.003, m.latency.p99)
		assert.same({ jobs = 9 }, m.my)
		assert.is_nil(m.memory)
	end)
end)
