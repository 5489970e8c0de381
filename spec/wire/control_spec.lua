-- What a running engine answers on its control socket.

local core = require "gridcentric.core"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

local function socket_of(t)
	for name in uv.fs_scandir_next, (assert(uv.fs_scandir(t.state))) do
		if name:find("%.sock$") then return t.state .. "/" .. name end
	end
end

describe("an engine asked for its state", function()
	it("tells its name, CPUs, those free, and its domains", function()
		puppet.run(function(t)
			local master = puppet.start(t, { env = { GRIDCENTRIC_CPUS = "10" } })
			local one = master:clone(2)
			assert(master:call("request_ticket", 3, 3, 1, 0))
			local state = assert(core.control(socket_of(t), nil, 120000))
			assert.matches("^puppet%-%d+$", state.name)
			assert.equal(state.name .. ".sock", socket_of(t):match("[^/]*$"))
			assert.same({ 10, 5, "" }, { state.cpus, state.free, state.report })
			assert.equal(3, #state.domains)
			assert.same({ vmid = 1, pid = one.pid, state = "ready", host = "localhost",
				endpoints = { [one.port] = one.ip .. ":" .. one.port } }, state.domains[2])
		end)
	end)

	it("tells what its controller reported last", function()
		puppet.run(function(t)
			local p = t.spawn{ "lua5.4", "-e", ([[
				local async = require "gridcentric.platform.async"
				local core = assert(async.open{ role = "outside", name = "reporter" })
				core:list_domains()
				core:report('{"n":1}')
				core:report('{"n":2}')
				print("open")
				io.stdout:flush()
				async.hold()
				require("luv").run()
			]]) }
			p:line("open")
			t.wait_until(function()
				local path = socket_of(t)
				local state = path and core.control(path, nil, 120000)
				return state and state.report == '{"n":2}'
			end, nil, "the report")
			p:stop()
		end)
	end)

	it("answers with an error where it is more than a message holds", function()
		puppet.run(function(t)
			local p = t.spawn{ "lua5.4", "-e", [[
				local async = require "gridcentric.platform.async"
				local core = assert(async.open{ role = "outside", name = "reporter" })
				core:list_domains()
				core:report(("x"):rep(1024 * 1024 - 20))
				async.hold()
				require("luv").run()
			]] }
			local path = t.wait_until(function() return socket_of(t) end)
			t.wait_until(function()
				return select(3, core.control(path, nil, 500)) == "EMSGSIZE"
			end, nil, "the error")
			p:stop()
		end)
	end)

	it("is heard though it says other things first", function()
		puppet.run(function(t)
			local path = t.tmpdir() .. "/talker.sock"
			local p = t.spawn{ "lua5.4", "-e", ([[
				local uv = require "luv"
				local wire = require "gridcentric.spec_wire"
				local greeting = wire.encode("WELCOME", 0, "talker-1")
				local server = uv.new_pipe(false)
				server:bind(%q)
				server:listen(1, function()
					local client = uv.new_pipe(false)
					server:accept(client)
					client:write(greeting .. greeting .. wire.encode("STATE", 1, "talker-1", 4, 3, ""))
				end)
				print("up")
				io.stdout:flush()
				uv.run()
			]]):format(path) }
			p:line("up")
			local state = assert(core.control(path, nil, 120000))
			assert.same({ "talker-1", 4, 3 }, { state.name, state.cpus, state.free })
			p:stop()
		end)
	end)

	it("has a socket that only its user may open", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			master:call("list_domains")
			assert.equal(384, uv.fs_stat(socket_of(t)).mode & 511) -- 0600
		end)
	end)

	it("answers also where the state folder's path is long", function()
		puppet.run(function(t)
			local long = t.tmpdir() .. "/" .. ("x"):rep(120)
			assert(uv.fs_mkdir(long, 448))
			local master = puppet.start(t, { env = { GRIDCENTRIC_STATE = long } })
			master:call("list_domains")
			local name = uv.fs_scandir_next((assert(uv.fs_scandir(long))))
			assert.is_truthy(name)
			local path
			for file in uv.fs_scandir_next, (assert(uv.fs_scandir(long))) do
				if file:find("%.sock$") then path = long .. "/" .. file end
			end
			assert.is_table((core.control(path, nil, 120000)))
		end)
	end)

	it("is no more, and that is an error with its name, at once", function()
		puppet.run(function(t)
			local path = t.tmpdir() .. "/gone.sock"
			local state, err, code = core.control(path, nil, 120000)
			assert.is_nil(state)
			assert.equal("ENOENT", code)
			assert.equal(("ENOENT: %s: No such file or directory"):format(path), err)
			local server = uv.new_pipe(false) -- one that nobody answers
			server:bind(path)
			server:listen(1, function() end)
			assert.equal("ETIMEDOUT", (select(3, core.control(path, nil, 50))))
			server:close()
		end)
	end)
end)

describe("a command", function()
	it("is passed to the controller, and its answer back", function()
		puppet.run(function(t)
			local p = t.spawn{ "lua5.4", "-e", [[
				local async = require "gridcentric.platform.async"
				local core = assert(async.open{ role = "outside", name = "commander" })
				async.on("command", function(_, op, text) core:answer(op, text ~= "fail", "got " .. text) end)
				core:list_domains()
				async.hold()
				require("luv").run()
			]] }
			local path = t.wait_until(function() return socket_of(t) end)
			-- the call blocks this process, not the other
			assert.equal("got " .. ("x"):rep(3000), (core.control(path, ("x"):rep(3000), 120000)))
			local value, err = core.control(path, "fail", 120000)
			assert.is_nil(value)
			assert.matches("got fail$", err)
			p:stop()
		end)
	end)

	it("to a program that has no controller is answered so", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			master:call("list_domains")
			local value, err, code = core.control(socket_of(t), '{"command":"pause"}', 120000)
			assert.is_nil(value)
			assert.equal("EPERM: this program has no controller", err)
			assert.equal("EPERM", code)
		end)
	end)
end)

describe("--print state", function()
	it("names the state folder", function()
		puppet.run(function(t)
			local p = t.spawn{ paths.engine, "--print", "state" }
			assert.equal(0, (p:wait()))
			assert.equal(t.state .. "\n", p.stdout)
		end)
	end)
end)
