-- Runs a program as a domain: lua5.4 service.lua program.lua [argument ...]
--
-- An engine starts it, and leaves a channel in the environment. The program
-- runs as under lua5.4 itself, and needs no line of ours: the core is open, and
-- the engine asks for clones.

local async = require "gridcentric.platform.async"
local uv = require "luv"

local HEAP_MS = 1000

-- Reports the size of the program's Lua heap: each clone may come to have as
-- much memory of its own, since a full collection writes to all of it. Runs in
-- the master only; the timer keeps no loop alive.
local function watch_heap(core)
	local timer = uv.new_timer()
	local reported = 0
	timer:start(0, HEAP_MS, function()
		local bytes = collectgarbage "count" * 1024
		if math.abs(bytes - reported) <= reported / 100 then return end
		reported = bytes
		core:metric("_heap", bytes)
	end)
	timer:unref()
	async.on_clone(function()
		if not timer:is_closing() then timer:close() end
	end)
end

watch_heap(async.core())

-- Its output goes to gcscale's log through a pipe, where it is to appear line by line.
io.stdout:setvbuf "line"

local script = table.remove(arg, 1)
arg[0] = script
local chunk, err = loadfile(script)
if not chunk then
	io.stderr:write("lua5.4: ", err, "\n")
	os.exit(1)
end
local ok = xpcall(chunk, function(message)
	io.stderr:write("lua5.4: ", debug.traceback(tostring(message), 2), "\n")
end, table.unpack(arg))
os.exit(ok and 0 or 1, true)
