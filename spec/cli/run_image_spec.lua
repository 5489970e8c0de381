-- gcscale run-image, gcscale image check, and policies with backend = "qemu", as far as they need
-- no machine: the engine is played.

local async = require "spec.support.async"
local fake_engine = require "spec.support.fake_engine"
local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"

-- Starts gcscale before an engine that plays this; {} in the arguments is an image.
local function start(t, play, ...)
	local image = gcscale.write(t.tmpdir() .. "/chat.img", "an image that nobody boots")
	local command = { paths.gcscale, env = fake_engine.env(t, play) }
	for i, argument in ipairs { ... } do command[i + 1] = argument == "{}" and image or argument end
	return t.spawn(command)
end

local LINES = [[
	for i = 1, 30 do console(("line %d\r\n"):format(i)) end
	console "\27[31mKernel panic\27[0m\r\n"
]]

-- What is told of them: the last twenty.
local function assert_last_words(text)
	local wanted = "; the last lines of its console:\nline 12\nline 13\n.*line 30\nKernel panic\n$"
	assert.matches(wanted, text)
end

describe("gcscale run-image", function()
	it("has the machine started that it is told to", function()
		async.run(function(t)
			local p = start(t, [[
				local m = machine
				console(("%d %s %d %d %s %s %d\n"):format(m.port, m.image:match "[^/]*$", m.memory, m.cpus,
					m.accel, m.network, m.has_lan))
			]], "run-image", "{}", "--memory", "1G", "--cpus", "2", "--accel", "tcg", "--port", "8001")
			p:line "^8001 chat.img 1024 2 tcg user 1$"
			assert.equal(0, (p:stop()))
		end)
	end)

	it("shows the console as it comes, and where the program is", function()
		async.run(function(t)
			local p = start(t, [[
				console "boo"
				console "\27[1mting\27[0m\r\nno end"
				ready("127.64.0.1", 8080)
			]], "run-image", "{}")
			p:line "^booting$"
			p:line "^no end$"
			p:line "ready 0 chat.img is ready after [%d.]+ m?s: port 80 is at 127.64.0.1:8080$"
			assert.equal(0, (p:stop()))
			assert.equal("", p.stderr)
		end)
	end)

	it("ends with the machine", function()
		async.run(function(t)
			local function run(play)
				local p = start(t, play, "run-image", "{}", "--port", "0")
				return { (p:wait()), p.stderr }
			end
			assert.same({ 0, "" }, run "ready('127.64.0.1', 0) ended(0)")
			assert.same({ 1, "gcscale: chat.img ended: killed by SIGKILL\n" },
				run "ready('127.64.0.1', 0) ended(9)")
			assert.same({ 1, "gcscale: chat.img ended before it was ready: exit status 0\n" },
				run "ended(0)")
			assert.same({ 1, "gcscale: the engine is lost: ECONNRESET: the engine has ended\n" },
				run "os.exit(1)")
		end)
	end)

	it("ends at once at a second signal", function()
		async.run(function(t)
			local p = start(t, "stay() console 'up\\n'", "run-image", "{}")
			p:line "^up$"
			p:kill "sigterm"
			p:errline "^bye 5000$"
			assert.equal(143, (p:stop()))
		end)
	end)

	it("ends while it waits for the engine", function()
		async.run(function(t)
			local port = t.free_port()
			local p = start(t, "", "run-image", "{}", "--forward", "127.0.0.1:" .. port)
			t.wait_until(function() return t.connect { port = port } end)
			assert.equal(0, (p:stop()))
			assert.equal("", p.stderr)
		end)
	end)

	it("passes connections on, also those that came early", function()
		async.run(function(t)
			local server = t.listen(function(client) client:write "hello" end)
			local port, sign = t.free_port(), t.tmpdir() .. "/sign"
			local p = start(t, ([[
				console "up\n"
				once_exists(%q, function() ready("127.0.0.1", %d) end)
			]]):format(sign, server), "run-image", "{}", "--forward", "127.0.0.1:" .. port)
			p:line "^up$"
			local early = assert(t.connect { port = port })
			gcscale.write(sign, "")
			assert.equal("hello", early:read_exactly(5))
			p:line(("forwarding 127.0.0.1:%d$"):format(port))
			assert.equal("hello", assert(t.connect { port = port }):read_exactly(5))
			assert.equal(0, (p:stop()))
		end)
	end)

	it("says so where there is no such image", function()
		async.run(function(t)
			local p = start(t, "", "run-image", "/nowhere.img")
			assert.equal(1, (p:wait()))
			assert.equal("gcscale: no such file or directory: /nowhere.img\n", p.stderr)
		end)
	end)
end)

describe("gcscale image check", function()
	it("says that all is there", function()
		async.run(function(t)
			local p = start(t, "ready('127.64.0.1', 0)", "image", "check", "{}")
			assert.equal(0, p:wait(), p:describe())
			assert.matches("^chat.img: boots in [%d.]+ m?s\nchat.img: its agent speaks\n"
				.. "chat.img: its program runs\n$", p.stdout)
		end)
	end)

	it("says what is missing", function()
		async.run(function(t)
			local p = start(t, LINES .. "ended(0)", "image", "check", "{}")
			assert.equal(1, (p:wait()))
			assert.matches("^gcscale: chat.img: it ended before gridcentric%-agent spoke: exit status 0; ",
				p.stderr)
			assert_last_words(p.stderr)
			p = start(t, "ready('127.64.0.1', 0) " .. LINES .. "ended(0)", "image", "check", "{}")
			assert.equal(1, (p:wait()))
			assert.matches("its agent speaks\n$", p.stdout)
			assert.matches("^gcscale: chat.img: its program ended, and the machine with it: exit status 0; ",
				p.stderr)
			assert_last_words(p.stderr)
		end)
	end)

	it("says that nobody could reach its program, as run-image and policies do", function()
		async.run(function(t)
			local p = start(t, "starting() starting('the program listens on 127.0.0.1:8001 only')",
				"image", "check", "{}")
			assert.equal(1, (p:wait()))
			assert.matches("^gcscale: chat.img: the program listens on 127%.0%.0%.1:8001 only", p.stderr)
			p = start(t, [[
				console(("port %d\r\n"):format(machine.port))
				ended(256)
			]], "image", "check", "{}", "--port", "8001")
			assert.equal(1, (p:wait()))
			assert.matches("\nport 8001\n$", p.stderr)
		end)
	end)

	it("can be interrupted", function()
		async.run(function(t)
			local sign = t.tmpdir() .. "/sign"
			local p = start(t, ("io.open(%q, 'w'):close()"):format(sign), "image", "check", "{}")
			t.wait_until(function() return io.open(sign) end):close()
			assert.equal(143, (p:stop()))
		end)
	end)
end)

describe("a policy of machines", function()
	local function run(t, play, keys)
		local file, dir = gcscale.policy_file(t, ([[return {
			listen = "127.0.0.1:0", backend = "qemu",
			app = { image = "chat.img", port = 8001, %s },
			clones = { min = 2 },
		}]]):format(keys or ""))
		gcscale.write(dir .. "/chat.img", "an image that nobody boots")
		return t.spawn { paths.gcscale, file, env = fake_engine.env(t, play) }, file
	end

	it("is run by cloning one, with as many CPUs for each as it has", function()
		async.run(function(t)
			local p = run(t, [[
				io.stderr:write(("%d %d %d\n"):format(machine.memory, machine.cpus, machine.has_lan))
				ready("127.64.0.200", 8001)
			]], 'memory = "512M", cpus = 3')
			p:errline "^512 3 0$"
			p:errline "^ticket: 6 CPUs, from 1 machine of 3$"
			p:line "chat.img is running on port 8001, with 2 to 16 clones"
			p:line "clone 1 ready in %d+ ms at 127.64.0.1:8001"
			p:line "clone 2 ready"
			assert.equal(0, (p:stop()))
		end)
	end)

	it("shows the end of the console where the machine does not come up", function()
		async.run(function(t)
			local p = run(t, LINES .. "ended(256)")
			assert.equal(1, (p:wait()))
			assert.matches("^gcscale: the program cannot be started: it ended before it listened: exit "
				.. "status 1; ", p.stderr)
			assert_last_words(p.stderr)
			p = run(t, LINES, "start_timeout = 0.2")
			assert.equal(1, (p:wait()))
			assert.matches("^gcscale: the program cannot be started: it does not listen on port 8001 after "
				.. "200 ms; ", p.stderr)
			assert_last_words(p.stderr)
		end)
	end)

	it("is checked without booting one", function()
		async.run(function(t)
			local _, file = run(t, "ended(0)")
			local p = t.spawn { paths.gcscale, "check", file }
			assert.equal(0, p:wait(), p:describe())
			assert.matches("\nimage chat.img, 26 B: machines of 256 MiB and 1 CPU, accel auto, program on "
				.. "port 8001\n", p.stdout)
		end)
	end)
end)
