-- The test harness itself: that it really fails where it has to.

local uv = require "luv"
local async = require "spec.support.async"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"

-- Runs a body that has to fail; gives the error's text.
local function failure_of(body, options)
	local ok, err = pcall(async.run, body, options)
	assert.is_false(ok, "the run should have failed")
	return tostring(type(err) == "table" and err.message or err)
end

describe("async.run #harness", function()
	it("runs a body that waits to its end", function()
		local steps = {}
		async.run(function(t)
			t.all{
				function() steps[#steps + 1] = "a" end,
				function()
					local n = 0
					t.wait_until(function()
						n = n + 1
						return n == 3
					end)
					steps[#steps + 1] = "b"
				end,
			}
			steps[#steps + 1] = "c"
		end)
		assert.same({ "a", "b", "c" }, steps)
	end)

	it("gives the results of functions that run side by side", function()
		async.run(function(t)
			assert.same({ 1, 4, 9 }, t.all{
				function(i) return i * i end,
				function(i) return i * i end,
				function(i) return i * i end,
			})
		end)
	end)

	it("fails on an error in the body, with its place", function()
		assert.matches("support_spec.lua:%d+: broken", failure_of(function() error("broken") end))
	end)

	it("fails on a failed assertion in the body", function()
		assert.matches("Expected objects to be equal", failure_of(function()
			assert.equal(1, 2)
		end))
	end)

	it("hands on that a test is pending", function()
		local ok, err = pcall(async.run, function() pending("not here") end)
		assert.is_false(ok)
		assert.equal("pending", debug.getmetatable(err).__type)
	end)

	it("fails on an error in a luv callback", function()
		assert.matches("broken callback", failure_of(function(t)
			local timer = uv.new_timer()
			timer:start(1, 0, function() error("broken callback") end)
			t.wait_until(function() return false end)
		end))
	end)

	it("fails on an error in a coroutine that it started", function()
		assert.matches("broken task", failure_of(function(t)
			t.go(function()
				t.wait_until(function() return true end)
				error("broken task")
			end)
		end))
	end)

	it("waits for an expected callback", function()
		local came = 0
		async.run(function(t)
			local timer = uv.new_timer()
			timer:start(1, 1, t.expect(function()
				came = came + 1
				if came == 3 then timer:close() end
			end, 3))
		end)
		assert.equal(3, came)
	end)

	it("fails on an expected callback that does not come", function()
		assert.matches("expected 1 times, came 0 times", failure_of(function(t)
			t.expect(function() end)
		end, { timeout_ms = 30 }))
	end)

	it("fails on an expected callback that comes too often", function()
		assert.matches("expected 1 times, came 2 times", failure_of(function(t)
			local fn = t.expect(function() end)
			fn()
			fn()
		end))
	end)

	it("fails after its deadline and names what was waited for", function()
		assert.matches("not over within 30 ms, waiting for the moon", failure_of(function(t)
			t.suspend("the moon", 60000, function() end)
		end, { timeout_ms = 30 }))
	end)

	it("fails a single wait after its deadline", function()
		assert.matches("the moon: not within 10 ms", failure_of(function(t)
			t.suspend("the moon", 10, function() end)
		end))
		assert.matches("the sun: not within 10 ms", failure_of(function(t)
			t.wait_until(function() return false end, 10, "the sun")
		end))
	end)

	it("fails on a luv handle left open, and closes it", function()
		local handle
		assert.matches("luv handle left open: uv_timer", failure_of(function()
			handle = uv.new_timer()
		end))
		assert.is_true(handle:is_closing())
	end)

	it("fails on a descriptor left open", function()
		local fd
		assert.matches("descriptor left open: %d+ %(/dev/null%)", failure_of(function()
			fd = uv.fs_open("/dev/null", "r", 0)
		end))
		uv.fs_close(fd)
	end)

	it("fails on a child left alive, and kills it", function()
		local pid
		assert.matches("process left alive: %d+ sleep 60", failure_of(function(t)
			pid = t.spawn{ "sleep", "60" }.pid
		end, { grace_ms = 100 }))
		assert.is_false(procfs.alive(pid))
	end)

	it("fails on a grandchild in another process group left alive, and kills it", function()
		local pid
		assert.matches("process left alive: %d+ [%a ]*sleep 60", failure_of(function(t)
			local shell = t.spawn{ "sh", "-c", "setsid sleep 60 & echo $!" }
			pid = math.tointeger(shell:line("^%d+$"))
			assert.equal(0, (shell:wait()))
		end, { grace_ms = 100 }))
		assert.is_false(procfs.alive(pid))
	end)

	it("takes no harm from a child that was killed just before the end", function()
		async.run(function(t) t.spawn{ "sleep", "60" }:kill("sigkill") end)
	end)

	it("fails on what a function for the end raises", function()
		assert.matches("cannot clean", failure_of(function(t)
			t.defer(function() error("cannot clean") end)
		end))
	end)

	it("is not disturbed by a run that failed before", function()
		pcall(async.run, function(t)
			t.spawn{ "sleep", "60" }
			t.connect{ port = t.listen(function(c) c:read() end) }
			error("early")
		end)
		async.run(function() end)
	end)

	it("gives each run a state folder and a mark of its own", function()
		local first, second
		async.run(function(t)
			first = t.state
			assert.equal(first, os.getenv("GRIDCENTRIC_STATE"))
			assert.equal(t.mark, os.getenv("GRIDCENTRIC_SPEC"))
			assert.equal(448, assert(uv.fs_stat(first)).mode & 511)
			local child = t.spawn{ "sh", "-c", "echo $GRIDCENTRIC_STATE $GRIDCENTRIC_SPEC" }
			assert.equal(first .. " " .. t.mark, child:line("."))
			child:wait()
		end)
		async.run(function(t) second = t.state end)
		assert.not_equal(first, second)
		assert.is_nil((uv.fs_stat(first)))
	end)

	it("refuses a run inside a run", function()
		assert.matches("inside async.run", failure_of(function() async.run(function() end) end))
	end)
end)

describe("a spawned process #harness", function()
	it("gives its lines one by one, its status and all output", function()
		async.run(function(t)
			local p = t.spawn{ "sh", "-c", "echo port 80; echo oops >&2; echo port 81; exit 3" }
			assert.equal("80", p:line("port (%d+)"))
			assert.equal("port 81", p:line("port"))
			assert.equal("oops", p:errline("oo"))
			assert.same({ 3, 0 }, { p:wait() })
			assert.equal("port 80\nport 81\n", p.stdout)
		end)
	end)

	it("fails with its output when a line does not come", function()
		local text = failure_of(function(t)
			t.spawn{ "sh", "-c", "echo something else; exit 1" }:line("ready")
		end)
		assert.matches("it ended before", text)
		assert.matches("something else", text)
	end)

	it("tells by which signal it ended", function()
		async.run(function(t)
			assert.same({ 0, 15 }, { t.spawn{ "sleep", "60" }:stop() })
		end)
	end)

	it("reads stdin, has an environment and a folder", function()
		async.run(function(t)
			local dir = t.tmpdir()
			local p = t.spawn{ "sh", "-c", "cat; echo $COLOUR; echo ${HOME-none}; pwd",
				stdin = "hello\n", cwd = dir, env = { COLOUR = "blue", HOME = false } }
			p:wait()
			assert.equal(("hello\nblue\nnone\n%s\n"):format(dir), p.stdout)
			local cat = t.spawn{ "cat", stdin = true }
			assert(cat:write("line\n"))
			assert.equal("line", cat:line("."))
			cat:close_stdin()
			assert.equal(0, (cat:wait()))
		end)
	end)

	it("is collected in full when it writes much and ends", function()
		async.run(function(t)
			local p = t.spawn{ "sh", "-c", "head -c 300000 /dev/zero" }
			assert.equal(0, (p:wait()))
			assert.equal(300000, #p.stdout)
		end)
	end)

	it("cannot be a program that is not there", function()
		assert.matches("cannot start no%-such%-program: ENOENT", failure_of(function(t)
			t.spawn{ "no-such-program" }
		end))
	end)
end)

describe("connections #harness", function()
	it("read and write, up to a pattern, a length, the end", function()
		async.run(function(t)
			local port = t.listen(function(c)
				assert.equal("ask\n", c:read_until("\n"))
				c:write("line\n12345rest")
				c:close()
			end)
			local c = assert(t.connect{ port = port })
			assert(c:write("ask\n"))
			assert.equal("line\n", c:read_until("\n"))
			assert.equal("12345", c:read_exactly(5))
			assert.equal("rest", c:read_all())
			assert.is_nil((c:read()))
		end)
	end)

	it("tell a refused connection and a reset", function()
		async.run(function(t)
			assert.same({ nil, "ECONNREFUSED" }, { t.connect{ port = t.free_port() } })
			local c = assert(t.connect{ port = t.listen(function(c)
				c:read()
				c:reset()
			end) })
			c:write("anything")
			assert.same({ nil, "ECONNRESET" }, { c:read() })
		end)
	end)
end)

-- Answers with the given texts, one for each request on a connection.
local function answering(t, ...)
	local answers, requests = { ... }, {}
	local port = t.listen(function(c)
		for _, answer in ipairs(answers) do
			requests[#requests + 1] = c:read_until("\r\n\r\n")
			c:write(answer)
		end
		c:close()
	end)
	return port, requests
end

describe("the http client #harness", function()
	it("reads bodies by length, in chunks and up to the end", function()
		async.run(function(t)
			local port = answering(t,
				"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
				"HTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n1;x\r\n!\r\n0\r\n\r\n",
				"HTTP/1.1 204 None\r\n\r\n",
				"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nthree")
			local c = assert(t.http_connect{ port = port })
			assert.equal("one", c:request{ path = "/1" }.body)
			local made = c:request{}
			assert.same({ 201, "Made", "two!" }, { made.status, made.reason, made.body })
			assert.equal("", c:request{}.body)
			assert.equal("three", c:request{}.body)
		end)
	end)

	it("sends method, path, headers, body and cookies", function()
		async.run(function(t)
			local jar = {}
			local answer = "HTTP/1.1 200 OK\r\nSet-Cookie: id=7; HttpOnly\r\nContent-Length: 0\r\n\r\n"
			local port, requests = answering(t, answer)
			assert.equal(200, t.http{ port = port, jar = jar }.status)
			assert.same({ id = "7" }, jar)
			t.http{ port = port, jar = jar, method = "POST", path = "/a", body = "xyz",
				headers = { ["X-Test"] = "yes" } }
			assert.matches("^POST /a HTTP/1.1\r\n", requests[2])
			for _, line in ipairs{ "Cookie: id=7", "X%-Test: yes", "Content%-Length: 3" } do
				assert.matches("\r\n" .. line .. "\r\n", requests[2])
			end
		end)
	end)

	it("tells when there is no answer", function()
		async.run(function(t)
			assert.same({ nil, "EOF" }, { t.http{ port = t.listen(function(c)
				c:read()
				c:close()
			end) } })
		end)
	end)
end)

-- spec/run.lua on spec files that this one writes.
describe("the runner #harness", function()
	-- Gives exit status and output of a run on a spec file with this text.
	local function run_on(t, text, ...)
		local path = t.tmpdir() .. "/some_spec.lua"
		local file = assert(io.open(path, "w"))
		file:write(text)
		file:close()
		local p = t.spawn{ "lua5.4", paths.root .. "/spec/run.lua", "--build", paths.build, path, ... }
		local status = p:wait(60000)
		return status, p.stdout
	end

	local function assert_run(text, status, last_line, ...)
		local patterns = { ... }
		async.run(function(t)
			local got, output = run_on(t, text)
			assert.equal(status, got, output)
			assert.equal(last_line, output:match("([^\n]*)\n$"), output)
			for _, pattern in ipairs(patterns) do assert.matches(pattern, output) end
		end)
	end

	it("counts what passes and what is skipped, and says why", function()
		assert_run([[
			it("a", function() end)
			it("b", function() pending("too big") end)
			pending("c")]], 0, "1 passed, 0 failed, 2 skipped", " b: too big", " c: no reason given")
	end)

	it("counts failures and errors, also outside of tests, and shows them", function()
		assert_run([[
			it("a", function() assert.equal(1, 2) end)
			it("b", function() error("wrong") end)
			describe("c", function() setup(function() error("early") end) it("d", function() end) end)
			]], 1, "0 passed, 3 failed, 0 skipped", "Expected objects", "wrong", "early")
	end)

	it("counts a file that does not parse", function()
		assert_run("it(", 1, "0 passed, 1 failed, 0 skipped")
	end)

	it("counts a file without tests", function()
		assert_run("", 1, "0 passed, 1 failed, 0 skipped", "holds no test")
	end)

	it("counts a process that exits, and names the test", function()
		assert_run([[
			it("a", function() end)
			it("leaves", function() os.exit(0) end)]], 1, "1 passed, 1 failed, 0 skipped",
			"status 0, signal 0, in 'leaves'")
	end)

	it("counts a process that is killed", function()
		assert_run([[it("a", function() local uv = require "luv" uv.kill(uv.os_getpid(), 9) end)]],
			1, "0 passed, 1 failed, 0 skipped", "signal 9, in 'a'")
	end)

	it("counts a process that hangs, and names the test", function()
		assert_run("-- limit: 1 s\n" .. [[
			it("spins", function() while true do end end)]], 1, "0 passed, 1 failed, 0 skipped",
			"not over within 1 s, in 'spins'")
	end)

	it("counts a process left alive, and kills it", function()
		assert_run([[it("a", function() os.execute("setsid sleep 61 >/dev/null 2>&1 & "
			.. "until grep -qs sleep /proc/$!/comm; do :; done") end)]],
			1, "1 passed, 1 failed, 0 skipped", "left alive:\n *%d+ [^\n]*sleep 61")
	end)

	it("counts a report of a sanitizer", function()
		async.run(function(t)
			local status, output = run_on(t, [[it("a", function()
				io.open(os.getenv("SOME_OPTIONS"):match("=(.*)"), "w"):write("bad access"):close()
			end)]], "--env", "SOME_OPTIONS=log=@REPORTS@/it")
			assert.equal(1, status, output)
			assert.matches("bad access", output)
			assert.matches("\n1 passed, 1 failed, 0 skipped\n$", output)
		end)
	end)

	it("ends with a closing line when it is interrupted", function()
		async.run(function(t)
			local path = t.tmpdir() .. "/some_spec.lua"
			local file = assert(io.open(path, "w"))
			file:write([[it("spins", function() io.open("/dev/null") while true do end end)]]):close()
			local p = t.spawn{ "lua5.4", paths.root .. "/spec/run.lua", "--build", paths.build, path }
			t.wait_until(function() return #procfs.children(p.pid) > 0 end)
			assert.equal(1, (p:stop()))
			assert.matches("\n0 passed, 1 failed, 0 skipped\n$", p.stdout)
		end)
	end)
end)
