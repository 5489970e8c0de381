-- The guest API: what a program calls to clone itself.
--
--	local gc = require "gridcentric"
--	gc.request_ticket(1, 1, 1, 1000, function(ticket, err)
--		if not ticket then return print("no resources: " .. err) end
--		gc.clone(ticket, function(vmid, err)
--			if vmid < 0 then print("error: " .. err)
--			elseif vmid == 0 then print("still the master")
--			else print("clone number " .. vmid) end
--		end)
--	end)
--
-- Every function that waits takes a callback as its last argument. Without one,
-- inside a coroutine, it yields, and returns what the callback would get: the
-- value, then err, code. See gridcentric(3).

local async = require "gridcentric.platform.async"

local gc = {}

-- Raises an error if argument n has another type than expected, as Lua's own functions do.
local function check(name, n, value, expected)
	local got = type(value)
	if expected == "integer" then
		local whole = got == "number" and math.tointeger(value)
		if whole and whole >= -0x80000000 and whole <= 0x7fffffff then return end
		if whole then error(("bad argument #%d to '%s' (out of range)"):format(n, name), 3) end
		if got == "number" then
			error(("bad argument #%d to '%s' (number has no integer representation)"):format(n, name), 3)
		end
		expected = "number"
	elseif got == expected then
		return
	end
	error(("bad argument #%d to '%s' (%s expected, got %s)"):format(n, name, expected, got), 3)
end

-- Raises an error if there is neither a callback nor a coroutine to resume.
local function check_callback(name, n, callback)
	if type(callback) == "function" then return end
	if callback ~= nil then
		error(("bad argument #%d to '%s' (function expected, got %s)"):format(n, name, type(callback)), 3)
	end
	if not coroutine.isyieldable() then
		error(("bad argument #%d to '%s' (function expected, got nil; or call it in a coroutine)")
			:format(n, name), 3)
	end
end

-- Has the core begin an operation; deliver(receive, err, code, ...) gets its answer.
local function operate(callback, deliver, name, ...)
	local core = async.core()
	local op, err, code = core[name](core, ...)
	return async.wait(op, err, code, callback, deliver)
end

---The number of this domain: 0 in the master, 1, 2, ... in its clones.
---@return integer
function gc.vmid()
	if async.role() == "none" then return 0 end
	return async.core():vmid()
end

local function deliver_ticket(receive, err, code, ticket)
	if not ticket then return receive(nil, err, code) end
	receive(ticket.id)
end

---Reserves resources for clones.
---@param maxcpus integer CPUs at most, for all clones together
---@param minvms integer clones at least
---@param mincpuspervm integer CPUs for each
---@param timeout_ms integer how long to wait for resources, in ms
---@param callback fun(ticket: string?, err: string?, code: string?)?
---@return string? ticket its uuid; nil when denied
---@return string? err
---@return string? code
function gc.request_ticket(maxcpus, minvms, mincpuspervm, timeout_ms, callback)
	check("request_ticket", 1, maxcpus, "integer")
	check("request_ticket", 2, minvms, "integer")
	check("request_ticket", 3, mincpuspervm, "integer")
	check("request_ticket", 4, timeout_ms, "integer")
	check_callback("request_ticket", 5, callback)
	return operate(callback, deliver_ticket, "request_ticket",
		maxcpus, minvms, mincpuspervm, timeout_ms)
end

local function deliver_clone(receive, err, code, vmid, vmids)
	if vmid and vmid > 0 then return receive(vmid) end
	-- some may exist although others failed: those in vmids
	if err then return receive(-1, err, code, vmids or {}) end
	receive(0, nil, nil, vmids)
end

---Clones this process, once for each VM of the ticket.
---@param ticket string
---@param callback fun(vmid: integer, err: string?, code: string?, vmids: integer[]?)?
---@return integer vmid 0 in the master, its own number in each clone, -1 on error
---@return string? err
---@return string? code
---@return integer[]? vmids in the master: the clones that exist now
function gc.clone(ticket, callback)
	check("clone", 1, ticket, "string")
	check_callback("clone", 2, callback)
	return operate(callback, deliver_clone, "clone", ticket)
end

local function deliver_value(receive, err, code, value)
	if err then return receive(nil, err, code) end
	receive(value)
end

---@alias gridcentric.TicketStatus "pending"|"granted"|"active"|"released"|"expired"|"denied"
---|"cancelled"|"revoked"|"lost"

---@class gridcentric.TicketInfo
---@field id string
---@field status gridcentric.TicketStatus
---@field cpus integer
---@field vms integer clones that clone() makes
---@field mincpuspervm integer

---The state of a ticket, and what it gave.
---@param ticket string
---@param callback fun(info: gridcentric.TicketInfo?, err: string?, code: string?)?
---@return gridcentric.TicketInfo? info
---@return string? err
---@return string? code
function gc.ticket_info(ticket, callback)
	check("ticket_info", 1, ticket, "string")
	check_callback("ticket_info", 2, callback)
	return operate(callback, deliver_value, "ticket_info", ticket)
end

local function deliver_done(receive, err, code)
	if err then return receive(nil, err, code) end
	receive(true)
end

---Gives back what a ticket holds and no clone uses. Clones are not affected.
---@param ticket string
---@param callback fun(ok: true?, err: string?, code: string?)?
---@return true? ok
---@return string? err
---@return string? code
function gc.release_ticket(ticket, callback)
	check("release_ticket", 1, ticket, "string")
	check_callback("release_ticket", 2, callback)
	return operate(callback, deliver_done, "release_ticket", ticket)
end

---@class gridcentric.Domain
---@field vmid integer
---@field host string
---@field endpoints table<integer, string> program port -> "ip:port"
---@field pid integer
---@field state "starting"|"ready"|"stopping"|"ended"

---The living domains of this program's engine.
---@param callback fun(domains: gridcentric.Domain[]?, err: string?, code: string?)?
---@return gridcentric.Domain[]? domains by vmid
---@return string? err
---@return string? code
function gc.list_domains(callback)
	check_callback("list_domains", 1, callback)
	return operate(callback, deliver_value, "list_domains")
end

---Ends a domain at once (SIGKILL); answers when it has ended.
---@param vmid integer
---@param callback fun(ok: true?, err: string?, code: string?)?
---@return true? ok
---@return string? err
---@return string? code
function gc.kill(vmid, callback)
	check("kill", 1, vmid, "integer")
	check_callback("kill", 2, callback)
	return operate(callback, deliver_done, "kill", vmid)
end

---Reports a number about this domain to the policy that scales it. There it is my.NAME, summed over
---all domains that report it. The last value of each name counts; values are sent at most ten times
---a second. Does nothing if nobody scales this program.
---@param name string 1 to 64 of a to z, 0 to 9 and _; a letter first
---@param value number
---@return true? ok
---@return string? err not a finite number, or more than 64 names
---@return string? code
function gc.metric(name, value)
	check("metric", 1, name, "string")
	check("metric", 2, value, "number")
	if not name:find "^[a-z][a-z0-9_]*$" or #name > 64 then
		error(("bad argument #1 to 'metric' (name of a to z, 0 to 9 and _ expected, got %q)")
			:format(name), 2)
	end
	return async.core():metric(name, value)
end

---Runs fn() right before this process is cloned, whoever asks for that. fn can veto: if it returns
---false or nil, and a reason, or raises an error, no clone is made, and the one who asked gets
---GC_EVETO and the reason.
---@param fn fun(): boolean?, string?
function gc.before_clone(fn)
	check("before_clone", 1, fn, "function")
	async.before_clone(fn)
end

---Runs fn(vmid) in each new clone of this process, before any other callback there.
---@param fn fun(vmid: integer)
function gc.on_clone(fn)
	check("on_clone", 1, fn, "function")
	async.on_clone(fn)
end

return gc
