-- Programs that a spec tells what to do: spec/scripts/puppet.lua at the other end.
--
--	local master = puppet.start(t, { env = ..., "0.0.0.0:0" })
--	master:eval("return gc.vmid()")           -> 0; what the code returned
--	master:send("os.exit(3)")                 the same without waiting for an answer
--	local clones = master:clone(2)            -> puppets, each at its own address
--	master.process                            as t.spawn gives it
--	master.port, clone.ip, clone.pid, clone.vmid
--
-- The specs are run by puppet.run(body, options), which is async.run and stops at last
-- those that live.
--
-- The code runs in a coroutine; `gc`, `uv`, `kept` (a table that stays), `client` (the
-- connection) and `await` (see puppet.lua) are there.

local async = require "spec.support.async"
local json = require "dkjson"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local uv = require "luv"

local Puppet = {}
Puppet.__index = Puppet
Puppet.__name = "spec puppet"

-- Lua programs are cloned only if the layout of their libuv's loop is known.
local function needs_known_libuv()
	local version = uv.version_string()
	return not version:find "^1%.44%." and "no clones with libuv " .. version or nil
end

local puppet = {
	---@type string? why nothing can be cloned here: a spec file says so, and ends
	missing = parts.needs_pidfd() or needs_known_libuv(),
}

local started -- in this run

function Puppet:send(code)
	if not self.connection then
		local where = { host = self.ip, port = self.port }
		self.connection = assert(self.t.connect(where), "no connection to the puppet")
	end
	assert(self.connection:write(("%d\n%s"):format(#code, code)))
end

---What the code returned; raises what it raised, or that the connection broke.
function Puppet:eval(code, deadline_ms)
	self:send(code)
	local length, err = self.connection:read_until("^%d+\n", deadline_ms)
	if not length then error("the puppet's connection: " .. tostring(err or "end of file"), 2) end
	local text = assert(self.connection:read_exactly(tonumber(length), deadline_ms))
	local answer = json.decode(text)
	if answer.err then error(answer.err, 2) end
	return table.unpack(answer.values, 1, answer.n)
end

---Calls a function of the guest API in the puppet; arguments are written as JSON.
function Puppet:call(name, ...)
	local args = table.pack(...)
	for i = 1, args.n do args[i] = json.encode(args[i]) end
	return self:eval(("return gc.%s(%s)"):format(name, table.concat(args, ", ")))
end

---The domains that live, by vmid.
function Puppet:domains()
	local found = {}
	for _, domain in ipairs((assert(self:call("list_domains")))) do found[domain.vmid] = domain end
	return found
end

---A puppet for a domain of the list.
function Puppet:of(domain)
	local where = domain.endpoints[tostring(self.port)] or domain.endpoints[self.port]
	return setmetatable({
		t = self.t, vmid = domain.vmid, pid = domain.pid, port = self.port,
		ip = where and where:match("^(.*):"),
	}, Puppet)
end

---Makes n clones on one ticket; gives puppets in order of their numbers.
function Puppet:clone(n)
	n = n or 1
	local ticket = assert(self:call("request_ticket", n, n, 1, 5000))
	local vmid, err, _, vmids = self:call("clone", ticket)
	assert(vmid == 0, err)
	local domains, clones = self:domains(), {}
	table.sort(vmids)
	for i, number in ipairs(vmids) do clones[i] = self:of(domains[number]) end
	return table.unpack(clones)
end

---Waits until the master's list shows no domain of that number.
function Puppet:wait_gone(vmid)
	self.t.wait_until(function() return not self:domains()[vmid] end, nil,
		("the end of domain %d"):format(vmid))
end

---@param options? { env: table?, script: string? } and HOST:PORT for each listener
function puppet.start(t, options)
	options = options or {}
	local command = table.move(options.command or { "lua5.4" }, 1, 9, 1, {})
	command[#command + 1] = paths.scripts .. "/puppet.lua"
	table.move(options, 1, #options, #command + 1, command)
	command.env, command.stdin = options.env, options.stdin
	local process = t.spawn(command)
	table.insert(started, process)
	local port = process:line("^ports (%d+)")
	return setmetatable({
		t = t, process = process, vmid = 0, pid = process.pid, ip = options.ip or "127.0.0.1",
		port = math.tointeger(tonumber(port)),
	}, Puppet)
end

function puppet.run(body, options)
	started = {}
	async.run(function(t)
		body(t)
		for _, process in ipairs(started) do
			if process:alive() then process:stop() end
		end
	end, options)
end

---A puppet whose place is known.
function puppet.at(t, ip, port)
	return setmetatable({ t = t, ip = ip, port = port }, Puppet)
end

return puppet
