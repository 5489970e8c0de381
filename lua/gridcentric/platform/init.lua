-- The platform of a controller, in three kinds. `outside` starts the program
-- through the engine and has it cloned; `vm` does so with a virtual machine;
-- `inside` is the program, which clones itself. All have the same methods, see
-- gridcentric.Platform, and keep the contract of spec/platform/contract.lua.

local async = require "gridcentric.platform.async"
local console = require "gridcentric.platform.console"
local gc = require "gridcentric"
local json = require "gridcentric.util.json"
local printable = require "gridcentric.util.printable"
local uv = require "luv"

local platform = {}

-- A ticket waits for resources for so long; a controller asks again anyway.
local TICKET_TIMEOUT_MS = 1000

local LAST_LINES = 20 -- of a console

-- Names of the signals that luv knows.
local SIGNALS = {}
for name, number in pairs(uv.constants) do
	if name:match "^SIG%u" then SIGNALS[number] = name end
end

---@class gridcentric.Platform
---@field kind "outside"|"inside"
---@field port integer? the program's port
---@field cpus integer CPUs of each clone, which it needs of a ticket
---@field console gridcentric.Console? of the machine that clones are made from
local Platform = {}
Platform.__index = Platform
Platform.__name = "gridcentric.Platform"

local function describe(info)
	if info.signal then
		local name = SIGNALS[info.signal] or ("signal %d"):format(info.signal)
		info.text = info.text ~= "" and info.text or "killed by " .. name
	elseif info.status then
		info.text = info.text ~= "" and info.text or ("exit status %d"):format(info.status)
	end
	return info
end

---The state that subscribers get for one that the engine reports. nil for clones that the program
---made by itself, which are not the controller's.
function Platform:_state_for_subscribers(vmid, state, info)
	-- its end may be reported after the answer, when the ticket is forgotten
	local ours = vmid == 0 or self._tickets[info.ticket] or self._starting[vmid]
	if state == "starting" or state == "ready" then
		if not ours then return nil end
		self._starting[vmid] = state == "starting" or nil
		if state == "ready" then self._ready[vmid] = true end
		return state
	end
	if state ~= "ended" then return nil end
	local was_ready = self._ready[vmid]
	self._ready[vmid], self._starting[vmid] = nil, nil
	return was_ready and "ended" or ours and "failed" or nil
end

function Platform:_on_domain(vmid, state, info)
	local shown = self:_state_for_subscribers(vmid, state, info)
	if not shown then return end
	-- A virtual machine may be reached at another port, for example if its own is below 1024.
	if not self.console or info.port == 0 then info.port = self.port end
	if vmid == 0 and info.ip == "" then info.ip = "127.0.0.1" end
	describe(info)
	for _, fn in ipairs(self._subscribers) do fn(vmid, shown, info) end
end

---Calls fn(vmid, state, info) for each change of a domain: "starting", in the order of vmids;
---"ready" with {ip, port, pid}; "ended" with {status or signal, text}; "failed" with {text}. vmid 0
---is the program.
---@param fn fun(vmid: integer, state: string, info: table)
function Platform:subscribe(fn)
	table.insert(self._subscribers, fn)
end

---Calls fn(text, code) when the engine has ended, and all domains with it.
---@param fn fun(err: string, code: string)
function Platform:on_lost(fn)
	self._on_lost = fn
end

---Calls fn(vmid, name, value) for each number that the program, or a clone of the controller's,
---reports about itself.
---@param fn fun(vmid: integer, name: string, value: number)
function Platform:on_metric(fn)
	async.on("metric", function(_, vmid, ...)
		if vmid == 0 or self._ready[vmid] then fn(vmid, ...) end
	end)
end

---The last lines that a virtual machine wrote on its console; nil if there are none.
---@return string[]? lines
function Platform:last_words()
	local lines = self.console and self.console:last(LAST_LINES)
	return lines and lines[1] and lines
end

-- Uses a ticket up.
local function clone_with(self, ticket, n, cb)
	self._tickets[ticket] = true
	gc.clone(ticket, function(vmid, err, code, vmids)
		if vmid > 0 then return end -- a clone: its controller is dead
		self._tickets[ticket] = nil
		if not err and #vmids < n then
			err, code = ("%d of %d granted"):format(#vmids, n), "GC_EDENIED"
		end
		cb(vmids, err, code)
	end)
end

---Makes n clones. cb gets the vmids of those that exist, and, if they are
---fewer than n, err and code. Subscribers have seen them as "ready" before.
---@param n integer
---@param cb fun(vmids: integer[], err: string?, code: string?)
function Platform:clone(n, cb)
	local cpus = self.cpus
	gc.request_ticket(n * cpus, 1, cpus, TICKET_TIMEOUT_MS, function(ticket, err, code)
		if not ticket then return cb({}, err, code) end
		err, code = self:_find_fault()
		if not err then return clone_with(self, ticket, n, cb) end
		gc.release_ticket(ticket, function() end)
		cb({}, err, code)
	end)
end

-- Why no clone of the program could serve anybody: err, code; nil where nothing is known.
function Platform:_find_fault() end

---Ends a domain: SIGTERM, and SIGKILL after grace_ms; 0: SIGKILL at once.
---@param vmid integer
---@param grace_ms integer
---@param cb fun(ok: true?, err: string?, code: string?)?
function Platform:stop(vmid, grace_ms, cb)
	local op, err, code = self._core:stop(vmid, grace_ms)
	async.wait(op, err, code, cb or function() end, function(receive, e, c)
		receive(not e or nil, e, c)
	end)
end

---Writes an event into the ledger.
---@param what string one or two words
---@param vmid integer? -1 or nil: it concerns no domain
---@param text string
---@param details table?
function Platform:event(what, vmid, text, details)
	text = printable.lines(text)
	self._core:record(what, vmid or -1, text, details and json.encode(details) or "")
end

---Hands the engine what `gcscale status` shows.
---@param report table
function Platform:report(report)
	self._core:report(json.encode(report))
end

---Calls fn(command, reply) for each command of a control client, which gets reply(ok, text).
---@param fn fun(command: table, reply: fun(ok: boolean, text: string))
function Platform:on_command(fn)
	async.on("command", function(_, op, text)
		local command = json.decode(text)
		local function reply(ok, answer) self._core:answer(op, ok, answer) end
		if type(command) ~= "table" then return reply(false, "not a JSON object") end
		fn(command, reply)
	end)
end

-- The engine has ended, as it was asked to.
local function finish_closing(self)
	if self._is_closed then return end
	self._is_closed = true
	async.release()
	self._closing()
end

---Ends all domains within grace_ms, then the engine; cb when it has ended. Called again, the newer
---grace_ms and cb count.
---@param grace_ms integer
---@param cb fun()?
function Platform:close(grace_ms, cb)
	if not self._closing then async.hold() end
	self._closing = cb or function() end
	if not self._core:end_all(grace_ms) then async.soon(finish_closing, self) end
end

local function new(kind, core)
	local self = setmetatable({
		kind = kind,
		cpus = 1,
		_core = core,
		_subscribers = {},
		_starting = {}, -- vmids whose last reported state is "starting"
		_ready = {}, -- the same, "ready"
		_tickets = {}, -- of clone operations under way
	}, Platform)
	async.on("domain", function(_, ...) self:_on_domain(...) end)
	async.on("engine_lost", function(_, err, code)
		self._ready, self._starting = {}, {}
		if self._closing then return finish_closing(self) end
		if self._on_lost then self._on_lost(err, code) end
	end)
	return self
end

-- A platform that owns its engine and is no domain. begin(core) asks the engine to
-- start the program.
local function new_owner(options, begin)
	local core, err, code = async.open { role = "outside", name = options.name }
	if not core then return nil, err, code end
	local self = new("outside", core)
	self.port = options.port
	---Starts the program, and calls cb(true), or cb(nil, err, code) if that failed. It is reported
	---as "ready" when it listens.
	function self.start(_, cb)
		local op, start_err, start_code = begin(core)
		async.wait(op, start_err, start_code, cb, function(receive, e, c)
			receive(not e or nil, e, c)
		end)
	end
	return self
end

---@class gridcentric.OutsideOptions
---@field name string of the service
---@field script string relative to dir, in which it runs
---@field args string[]?
---@field port integer
---@field dir string
---@field lua string? the interpreter

---The platform of a controller whose program is another process.
---@param options gridcentric.OutsideOptions
---@return gridcentric.Platform? platform
---@return string? err
function platform.outside(options)
	local runner = assert(package.searchpath("gridcentric.service", package.path))
	local argv = { options.lua or "lua5.4", runner, options.script }
	table.move(options.args or {}, 1, #(options.args or {}), #argv + 1, argv)
	return new_owner(options, function(core)
		return core:start(options.port, options.dir, argv)
	end)
end

---@class gridcentric.VmOptions
---@field name string of the service
---@field image string path
---@field port integer of the program in it; 0: ready as soon as it is started
---@field memory integer MiB
---@field cpus integer
---@field accel "auto"|"kvm"|"tcg"
---@field network "user"|"tap"
---@field spare integer? clones that are prepared ahead
---@field has_lan boolean? whether it clones itself; then its clones share a network
---@field on_console fun(text: string)? called with what it writes on its console, clean

---The platform of a controller whose program is in a virtual machine.
---@param options gridcentric.VmOptions
---@return gridcentric.Platform? platform
---@return string? err
function platform.vm(options)
	local self, err, code = new_owner(options, function(core)
		return core:start_vm(options.port, options)
	end)
	if not self then return nil, err, code end
	self.cpus, self.console = options.cpus, console.new()
	local on_console = options.on_console or function() end
	async.on("console", function(_, vmid, bytes)
		if vmid == 0 then on_console(self.console:add(bytes)) end
	end)
	return self
end

-- Why nobody could be served at the port: nothing listens there.
local function find_deaf_port(core, port)
	local ports = core:ports()
	if not ports then return end -- the clone operation says why
	for i, found in ipairs(ports) do
		if found == port then return end
		ports[i] = ("%d"):format(found)
	end
	local where = ports[1] and "on port " .. table.concat(ports, ", ") or "on no port"
	return ("nothing listens on port %d: this program listens %s"):format(port, where),
		"GC_ENOTREADY"
end

---The platform of a program that scales itself.
---@param options { port: integer } the program's own port
---@return gridcentric.Platform
function platform.inside(options)
	local self = new("inside", async.core())
	self.port = options.port
	self._core:watch()
	-- In a virtual machine another program may be meant.
	if not require("gridcentric.core").agent_path() then
		function self._find_fault() return find_deaf_port(self._core, options.port) end
	end
	---Has nothing to do: the first operation starts the engine.
	function self.start(_, cb) cb(true) end
	return self
end

return platform
