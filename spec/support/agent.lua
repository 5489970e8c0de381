-- The agent of a VM without a VM: in namespaces of its own, where it may change host name, machine
-- id, network and cgroups, with a spec at its port that plays the engine. Where `ip` is installed,
-- there are two network cards, `first` and `second`.
--
--	agent.run(function(t) ... end)     as async.run
--	local engine = agent.start(t, { env =, socket =, hooks =, "lua5.4", "program.lua" })
--	engine.process                     the agent, as t.spawn gives it
--	engine:identity{ vmid =, op =, host =, random =, port =, snapshot =, cards = { {mac, ip, gw} } }
--	engine:send("DONE", op, 0, "")     a message to the agent
--	engine:read()                      -> name, {field ...} of its next message; nil at the end
--	engine:expect("READY")             -> its fields, unless the next message is another
--	engine:inside(command)             -> what a shell command prints in the agent's namespaces
--	engine:frozen()                    whether the cgroup of the program stands still
--
--	local program = agent.connect(t, engine)    a program at the agent's socket, which said HELLO
--	program: send, read, expect as above
--
--	agent.peer(t, connection)          for who plays the agent itself
--
--	agent.missing, agent.missing_root  why it cannot run here; why no clone can be made of it

local async = require "spec.support.async"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local uv = require "luv"
local wire = require "gridcentric.spec_wire"

local agent = {}

local started -- in this run

-- Where cgroup v2 is mounted.
local function cgroup_root()
	for _, path in ipairs{ "/sys/fs/cgroup", "/sys/fs/cgroup/unified" } do
		if uv.fs_stat(path .. "/cgroup.subtree_control") then return path end
	end
end

local ROOT = cgroup_root()
local NAMESPACES = uv.getuid() == 0 and "-mnuC" or "-Urmnu"

local function why_missing()
	if parts.needs_pidfd() then return parts.needs_pidfd() end
	local works = os.execute(("unshare %s mount -t tmpfs none /etc 2>/dev/null"):format(NAMESPACES))
	return not works and "needs `unshare " .. NAMESPACES .. "`" or nil
end

local function why_no_clone()
	if why_missing() then return why_missing() end
	if parts.needs_root() then return "needs root, for the kernel's random generator" end
	return not (ROOT and uv.fs_access(ROOT, "W")) and "needs a cgroup v2 that may be written" or nil
end

agent.missing, agent.missing_root = why_missing(), why_no_clone()

-- ---- messages --------------------------------------------------------------------

local Peer = {}
Peer.__index = Peer
Peer.__name = "spec peer"

function Peer:send(name, ...) assert(self.connection:write((assert(wire.encode(name, ...))))) end

function Peer:read(deadline_ms)
	local head, err = self.connection:read_exactly(4, deadline_ms)
	if not head then return nil, err end
	local rest = assert(self.connection:read_exactly((string.unpack("<I4", head)), deadline_ms))
	local _, name, _, fields = wire.decode(head .. rest)
	return name, fields
end

function Peer:expect(name, deadline_ms)
	local got, fields = self:read(deadline_ms)
	if got ~= name then
		local shown = fields and table.concat(fields, ", ") or ""
		error(("message %s expected, got %s(%s)"):format(name, got, shown), 2)
	end
	return fields
end

-- ---- the engine ------------------------------------------------------------------

local Engine = setmetatable({}, { __index = Peer })
Engine.__index = Engine

function Engine:identity(o)
	local cards = {}
	for _, card in ipairs(o.cards or {}) do table.move(card, 1, 3, #cards + 1, cards) end
	self:send("IDENTITY", o.snapshot or 0, o.vmid or 0, o.op or 0, o.host or "", o.time or 0,
		o.random or "", o.port or 0, table.unpack(cards))
end

function Engine:inside(command)
	local p = self.t.spawn{ "sh", "-c", 'exec nsenter -t "$0" $1 -m -n -u -- sh -c "$2"',
		tostring(self.process.pid), uv.getuid() == 0 and "" or "-U --preserve-credentials", command }
	assert(p:wait() == 0, p:describe())
	return (p.stdout:gsub("\n$", ""))
end

function Engine:frozen()
	local file = assert(io.open(self.cgroup .. "/gridcentric/cgroup.events"))
	local text = file:read "a"
	file:close()
	return text:find("frozen 1", 1, true) ~= nil
end

-- The next time that the agent comes to its port.
function Engine:accept()
	self.connection = self.t.wait_until(function() return table.remove(self.waiting, 1) end, nil,
		"the agent at its port")
	return self
end

-- The port is a device, as in a VM.
function Engine:open_device()
	local fd, path = wire.pty()
	local stream = uv.new_pipe(false)
	assert(stream:open(fd))
	self.port = path
	table.insert(self.waiting, self.t.wrap(stream))
end

local SETUP = [[
	mount -t tmpfs none /etc
	echo 0123456789abcdef0123456789abcdef >/etc/machine-id
	printf '127.0.0.1\tlocalhost' >/etc/hosts
	mount -t tmpfs none /var/log
	mkdir -p /var/log/journal/0123456789abcdef0123456789abcdef
	[ -z "$SPEC_CGROUP" ] || mount -t cgroup2 none /sys/fs/cgroup
	unset SPEC_CGROUP
	! command -v ip >/dev/null || ip link add second type veth peer name first || :
	exec "$@"
]]

local OUTSIDE = [[
	[ -z "$SPEC_CGROUP" ] || echo $$ >"$SPEC_CGROUP/cgroup.procs"
	namespaces=$1; setup=$2; shift 2
	exec unshare "$namespaces" sh -ec "$setup" sh "$@"
]]

-- Ends all in a cgroup, also what stands still.
local function kill_cgroup(path)
	local file = io.open(path .. "/cgroup.kill", "w")
	if not file then return end
	file:write "1"
	file:close()
end

local function remove_cgroup(path)
	uv.fs_rmdir(path .. "/gridcentric")
	return uv.fs_rmdir(path)
end

-- A cgroup for the agent, which takes it for the root; gone after the run.
local function make_cgroup(t)
	if agent.missing_root then return nil end
	local path = ("%s/gridcentric-spec-%d-%x"):format(ROOT, uv.os_getpid(), uv.hrtime())
	assert(uv.fs_mkdir(path, 493))
	t.defer(function()
		kill_cgroup(path)
		remove_cgroup(path) -- where the body failed, it may be too early for that
	end)
	return path
end

---@param options? { env: table?, wrap: string[]?, no_port: true?, device: true? } and the program
function agent.start(t, options)
	options = options or {}
	local dir = t.tmpdir()
	local self = setmetatable({ t = t, waiting = {}, dir = dir, socket = dir .. "/agent",
		port = dir .. "/port", cgroup = make_cgroup(t) }, Engine)
	if options.device then
		self:open_device()
	elseif not options.no_port then
		t.listen(function(c) table.insert(self.waiting, c) end, self.port)
	end
	local command = { "sh", "-ec", OUTSIDE, "sh", NAMESPACES, SETUP }
	table.move(options.wrap or {}, 1, #(options.wrap or {}), #command + 1, command)
	table.move({ paths.agent, "--port", self.port, "--socket", self.socket, "--" }, 1, 6,
		#command + 1, command)
	table.move(options, 1, #options, #command + 1, command)
	command.env = { GRIDCENTRIC_HOOKS = dir, SPEC_CGROUP = self.cgroup or "" }
	for name, value in pairs(options.env or {}) do command.env[name] = value end
	self.process = t.spawn(command)
	table.insert(started, self)
	return options.no_port and self or self:accept()
end

---Two cards for identity(), the second in the network of clones; reason why there are none.
agent.cards = {
	{ "52:54:67:63:00:00", "10.0.2.15/24", "10.0.2.2" },
	{ "52:54:67:63:00:01", "10.77.0.1/16", "" },
}
agent.missing_cards = agent.missing
	or not os.execute "command -v ip >/dev/null" and "needs `ip`" or nil

---One that has said HELLO and knows who it is.
function agent.boot(t, options, identity)
	local engine = agent.start(t, options)
	engine:expect "HELLO"
	engine:identity(identity or {})
	if not options or not options[1] then engine:expect "READY" end
	return engine
end

-- ---- a program -------------------------------------------------------------------

function agent.connect(t, engine, silent)
	local self = agent.peer(t, (assert(t.connect{ unix = engine.socket })))
	if not silent then self:send("HELLO", 1, "", 2, 1) end
	return self
end

---The other end of a connection, without a word.
function agent.peer(t, connection)
	return setmetatable({ t = t, connection = connection }, Peer)
end

---Writes an executable hook.
function agent.hook(engine, name, script)
	local path = engine.dir .. "/" .. name
	local file = assert(io.open(path, "w"))
	file:write("#!/bin/sh\n" .. script)
	file:close()
	assert(uv.fs_chmod(path, 493))
end

-- Ends it, with a program that may stand still.
local function stop(t, engine)
	local cgroup = engine.cgroup
	if cgroup then kill_cgroup(cgroup) end
	if not cgroup and engine.process:alive() then engine.process:kill "sigterm" end
	engine.process:wait()
	if cgroup then t.wait_until(function() return remove_cgroup(cgroup) end, nil, "its end") end
end

---As async.run; agents that live at the end are ended.
function agent.run(body, options)
	started = {}
	async.run(function(t)
		body(t)
		for _, engine in ipairs(started) do stop(t, engine) end
	end, options)
end

return agent
