-- The core on luv's loop: watches its descriptor, takes completions, and calls
-- or resumes the code that waits for them.
--
-- A process has one core. The first function that needs it opens it; require
-- does not. Nothing here blocks. An operation under way keeps the loop alive,
-- an idle core does not.

local core = require "gridcentric.core"
local uv = require "luv"

local async = {}

---@type userdata? the open core
local the_core
---@type userdata? luv's poll handle on the core's descriptor
local poll
-- number of reasons for the loop to stay alive: operations under way, hold()
local busy = 0
---@type table<integer, fun(...)> operation number -> function that waits for it
local waiting = {}
---@type table<string, fun(...)> kind of event -> handler
local handlers = {}
---@type fun(vmid: integer)[] run in each new clone, before anything else
local clone_functions = {}
---@type fun()[] run right before this process is cloned; they can veto
local veto_functions = {}

-- Ends the process with a traceback, as an error in a luv callback would, but
-- with the status that lua5.4 itself uses.
local function die(message)
	io.stderr:write("lua5.4: ", debug.traceback(tostring(message), 2), "\n")
	os.exit(1)
end

-- Calls a function of the program; an error in it ends the process.
local function guarded(fn, ...)
	return xpcall(fn, die, ...)
end

local function set_busy(change)
	busy = busy + change
	if busy == 0 then
		poll:unref()
	elseif busy == change then
		poll:ref()
	end
end

local answers = {}

-- Hands an answer to the function that waits for it.
local function deliver_answer(_, op, err, code, ...)
	local waiter = waiting[op]
	waiting[op] = nil
	if not waiter then return end
	set_busy(-1)
	waiter(err, code, ...)
end

for _, kind in ipairs { "ticket", "cloned", "domains", "done" } do
	answers[kind] = deliver_answer
end

-- This process is a new clone now.
function answers.clone()
	math.randomseed(core.random(), core.random())
	for _, fn in ipairs(clone_functions) do guarded(fn, the_core:vmid()) end
end

-- Until something in this program takes commands: their senders wait.
function handlers.command(_, op)
	the_core:answer(op, false, "this program has no controller")
end

local function dispatch(kind, ...)
	if not kind then return false end
	local handler = answers[kind] or handlers[kind]
	if handler then handler(kind, ...) end
	return true
end

-- The reason why this is no time for a clone, nil if it is one.
local function find_veto()
	for _, fn in ipairs(veto_functions) do
		local ok, agreed, reason = pcall(fn)
		if not ok then return tostring(agreed) end
		if agreed == false or agreed == nil and reason ~= nil then
			return tostring(reason or "no reason given")
		end
	end
end

local function on_readable()
	assert(the_core:turn(veto_functions[1] and find_veto))
	while dispatch(the_core:next()) do end
end

---Opens the core in another role than that of a plain program, before anything else uses it.
---@param options { role: "inside"|"outside", name: string }
---@return userdata? core
---@return string? err
---@return string? code
function async.open(options)
	assert(not the_core, "the core is open already")
	local err, code
	the_core, err, code = core.open {
		role = options.role,
		name = options.name,
		luv = package.searchpath("luv", package.cpath),
	}
	if not the_core then return nil, err, code end
	poll = uv.new_poll(the_core:fd())
	poll:start("r", function() guarded(on_readable) end)
	poll:unref()
	return the_core
end

---The core of this process, which is opened if necessary. Raises an error if that fails.
---@return userdata
function async.core()
	if not the_core then
		local name = arg and arg[0] and arg[0]:match("([^/]+)$") or "lua"
		assert(async.open { role = "inside", name = (name:gsub("%.lua$", "")) })
	end
	return the_core
end

---What this process is: "domain" in clones and in programs that gcscale started; "none" in other
---programs until something uses the platform.
---@return "none"|"inside"|"outside"|"domain"
function async.role()
	if not the_core and not os.getenv "GRIDCENTRIC_CHANNEL" and not core.agent_path() then
		return "none"
	end
	return async.core():role()
end

---Registers the handler of a kind of event: "domain", "command", "metric", "console",
---"engine_lost", and those of the proxy. The handler gets the kind, then the values. An error in it
---ends the process, so guard calls of the program's own functions.
---@param kind string
---@param handler fun(kind: string, ...)?
function async.on(kind, handler)
	handlers[kind] = handler
end

---Runs fn in each new clone, before any other callback.
---@param fn fun(vmid: integer)
function async.on_clone(fn)
	clone_functions[#clone_functions + 1] = fn
end

---Runs fn right before this process is cloned. There is no clone if fn raises an error, or returns
---false or nil, and a reason.
---@param fn fun(): boolean?, string?
function async.before_clone(fn)
	veto_functions[#veto_functions + 1] = fn
end

---Keeps the loop alive until release() has been called as often.
function async.hold()
	async.core()
	set_busy(1)
end

---Ends a hold().
function async.release()
	set_busy(-1)
end

---Calls fn(...) after this turn of the loop, so that no callback runs inside of the call that it
---was given to. An error in it ends the process.
---@param fn fun(...)
function async.soon(fn, ...)
	local timer, values = uv.new_timer(), table.pack(...)
	timer:start(0, 0, function()
		timer:close()
		guarded(fn, table.unpack(values, 1, values.n))
	end)
end

---Waits for an operation. With a callback, calls deliver(callback, err, code, ...) later. Without
---one, yields the running coroutine, and resumes it with the values that deliver passes on.
---@param op integer? what the core returned; nil when it failed at once
---@param err string?
---@param code string?
---@param callback function? of the program
---@param deliver fun(receive: function, err: string?, code: string?, ...)
---@return any ...
function async.wait(op, err, code, callback, deliver)
	local receive = callback
	if not receive then
		local thread = coroutine.running()
		receive = function(...)
			if coroutine.status(thread) == "dead" then return end -- closed meanwhile
			local ok, message = coroutine.resume(thread, ...)
			if not ok then die(debug.traceback(thread, message)) end
		end
	end
	local function waiter(...) deliver(receive, ...) end
	if op then
		waiting[op] = waiter
		set_busy(1)
	else
		async.soon(waiter, err, code)
	end
	if not callback then return coroutine.yield() end
end

return async
