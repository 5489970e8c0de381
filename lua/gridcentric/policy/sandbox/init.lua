-- Runs code of a policy file so that it can harm nobody: an error comes back as a text, and what
-- takes too long is interrupted.
--
--	local ok, result = sandbox.call(fn, ...)
--
-- Theory of operation. A debug hook looks at the processor time every few thousand instructions,
-- and raises once it is used up. A policy that catches this error (pcall) gains nothing: from then
-- on the hook raises at each instruction, until the call has ended. Coroutines have hooks of their
-- own, which environment.lua sets. Lua calls no hook in a finalizer (__gc), nor in the message
-- handler of an error that a hook raised, so policies have no finalizers, and their handlers are
-- not called then. C functions that could run for ever, such as string.rep and patterns, have
-- stand-ins (environment.lua, strings.lua).
--
-- The limit is processor time, so that a policy is not interrupted because the machine is busy.
-- Calls may be nested; the outermost one's limit holds.

local guard = require "gridcentric.util.guard"
local printable = require "gridcentric.util.printable"
local strings = require "gridcentric.policy.sandbox.strings"

local sandbox = {}

local LIMIT_S = 1 -- for one call
local MEMORY_KB = 1024 * 1024 -- that a call may add
local INSTRUCTIONS = 5000 -- between two looks at the clock: some 50 us
local LONGEST_ERROR = 500

---@class gridcentric.Interruption what is raised
local Interruption = { __name = "gridcentric.interruption" }
function Interruption.__tostring(self) return self.text end

---@class gridcentric.SandboxCall
---@field deadline number processor time; seconds
---@field limit_s number
---@field memory number that Lua may have; KB
---@field thread thread that it began in
---@field interruption gridcentric.Interruption? once it is to end

---@type gridcentric.SandboxCall?
local current

local HERE = debug.getinfo(1, "S").source
local OURS = HERE:match "^(.*/)policy/sandbox/init%.lua$"

-- Where the policy is: the innermost function that is not ours.
local function find_place()
	local level = 3 -- of the function that the hook interrupted
	local info = debug.getinfo(level, "Sl")
	while info do
		local is_ours = OURS and info.source:sub(1, #OURS) == OURS
		if info.currentline > 0 and not is_ours then
			return ("%s:%d: "):format(info.short_src, info.currentline)
		end
		level = level + 1
		info = debug.getinfo(level, "Sl")
	end
	return ""
end

local function new_interruption(why)
	return setmetatable({ text = ("%sinterrupted: %s"):format(find_place(), why) }, Interruption)
end

local hook

-- From now on the hook raises at each instruction, also where a coroutine was resumed.
local function interrupt(call, why)
	call.interruption = new_interruption(why)
	debug.sethook(hook, "", 1)
	debug.sethook(call.thread, hook, "", 1)
end

function hook()
	local call = current
	if not call then return end
	if not call.interruption then
		if os.clock() >= call.deadline then
			interrupt(call, ("it ran for more than %g s"):format(call.limit_s))
		elseif collectgarbage "count" > call.memory then
			interrupt(call, ("it took more than %d MB of memory"):format(MEMORY_KB // 1024))
		end
	end
	if call.interruption and debug.getinfo(2, "S").source ~= HERE then error(call.interruption, 0) end
end

---Has a coroutine of a policy interrupted like the function that made it.
---@param co thread
function sandbox.watch(co)
	debug.sethook(co, hook, "", INSTRUCTIONS)
end

---Whether an error is an interruption, which nothing may catch.
---@param err any
---@return boolean
function sandbox.is_interruption(err)
	return debug.getmetatable(err) == Interruption
end

---The text of what a policy raised, which can be shown anywhere.
---@param err any
---@return string
function sandbox.error_text(err)
	return printable.lines(guard.text(err), LONGEST_ERROR)
end

-- What was set before, for a program that scales itself may have a hook.
local function restore(call, old_hook, mask, count, methods)
	debug.sethook(old_hook, mask, count)
	debug.getmetatable("").__index = methods
	current = nil
	return call.interruption ~= nil and "INTERRUPTED" or nil
end

local function settle(code, ok, ...)
	if ok and not code then return true, ... end
	return false, (...), code
end

local function run(call, fn, ...)
	local old_hook, mask, count = debug.gethook()
	local meta = debug.getmetatable ""
	local methods = meta.__index
	current, meta.__index = call, strings.METHODS
	debug.sethook(hook, "", INSTRUCTIONS)
	local results = table.pack(xpcall(fn, sandbox.error_text, ...))
	local code = restore(call, old_hook, mask, count, methods)
	if code then return false, sandbox.error_text(call.interruption), code end
	return settle(code, table.unpack(results, 1, results.n))
end

---Calls a function of a policy.
---@param limit_s number processor time
---@param fn function
---@return boolean ok
---@return any ... what it returned, or what is wrong, and "INTERRUPTED" if it took too long
function sandbox.call_within(limit_s, fn, ...)
	if current then return settle(nil, xpcall(fn, sandbox.error_text, ...)) end
	return run({
		deadline = os.clock() + limit_s,
		limit_s = limit_s,
		memory = collectgarbage "count" + MEMORY_KB,
		thread = coroutine.running(),
	}, fn, ...)
end

---The same with the usual limit.
---@param fn function
---@return boolean ok
---@return any ...
function sandbox.call(fn, ...)
	return sandbox.call_within(LIMIT_S, fn, ...)
end

return sandbox
