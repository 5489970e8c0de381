-- gcscale with a policy and a program of the spec's own, for whole runs.
--
--	local s = gcscale.start(t, policy [, program [, options]])
--	                         up and listening; policy: text of the file; options: { args = further
--	                         arguments, env = as t.spawn's, files = texts of further files by
--	                         name }
--	s.p                      the process (process.lua)
--	s.port                   where clients connect
--	s.file                   the policy file; s:write(text) writes it anew, by a rename
--	s:get(path, options)     an HTTP request on a connection of its own; options as t.http's
--	s:who(path, options)     the vmid that has answered
--	s:run(...)               gcscale with other arguments: its exit status, and what it said
--	s:status()               what `gcscale status` knows of it
--	s:clones()               how many clones serve
--
-- And its pieces:
--
--	gcscale.policy_file(t, policy [, program])  in a new folder -> file, folder
--	gcscale.launch(t, file [, args [, env]])            up and listening -> process, port
--	gcscale.write(path, text)                   -> path
--
-- The program, unless there is another, answers with its vmid, and /spin with nothing ever more;
-- /slow when somebody asks the same domain for /go.

local json = require "dkjson"
local paths = require "spec.support.paths"
local uv = require "luv"

local gcscale = {}

gcscale.PROGRAM = [[
local gc = require "gridcentric"
local uv = require "luv"
local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(os.getenv "PORT")))
local slow
local function answer(client)
	local text = tostring(gc.vmid())
	client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#text, text))
end
assert(server:listen(128, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err, data)
		if err or not data then return client:is_closing() or client:close() end
		local path = data:match "^%u+ (%S+)"
		if path == "/spin" then while true do end end
		if path == "/slow" then
			slow = client
			return
		end
		if path == "/go" then answer(slow) end
		answer(client)
	end)
end))
uv.run()
]]

local Service = {}
Service.__index = Service

function gcscale.write(path, text)
	local file = assert(io.open(path, "w"))
	file:write(text)
	file:close()
	return path
end

function gcscale.policy_file(t, policy, program)
	local dir = t.tmpdir()
	if program then gcscale.write(dir .. "/program.lua", program) end
	return gcscale.write(dir .. "/policy.lua", policy), dir
end

function gcscale.launch(t, file, args, env)
	local port = t.free_port()
	local command = { paths.gcscale, file, "--listen", "127.0.0.1:" .. port,
		table.unpack(args or {}) }
	command.env = env
	local p = t.spawn(command)
	p:line "listens on"
	return p, port
end

function gcscale.start(t, policy, program, options)
	options = options or {}
	local file, dir = gcscale.policy_file(t, policy, program or gcscale.PROGRAM)
	for name, text in pairs(options.files or {}) do gcscale.write(dir .. "/" .. name, text) end
	local p, port = gcscale.launch(t, file, options.args, options.env)
	return setmetatable({ t = t, p = p, port = port, file = file, name = dir:match "[^/]*$" }, Service)
end

function Service:write(text)
	gcscale.write(self.file .. ".new", text)
	assert(uv.fs_rename(self.file .. ".new", self.file))
end

function Service:get(path, options)
	local all = { port = self.port, path = path or "/" }
	for key, value in pairs(options or {}) do all[key] = value end
	return self.t.http(all)
end

function Service:who(path, options)
	local response = assert(self:get(path, options))
	assert(response.status == 200, response.status .. " " .. response.body)
	return tonumber(response.body)
end

function Service:run(...)
	local p = self.t.spawn { paths.gcscale, ... }
	return p:wait(), p.stdout .. p.stderr
end

function Service:status()
	local p = self.t.spawn { paths.gcscale, "status", "--json", "--name", self.name }
	assert(p:wait() == 0, p.stderr)
	return json.decode(p.stdout)[1]
end

function Service:clones()
	local n = 0
	for _, clone in ipairs(self:status().report.clones) do
		if clone.state == "ready" then n = n + 1 end
	end
	return n
end

return gcscale
