-- Runs a program as a domain: lua5.4 service.lua program.lua [argument ...]
--
-- Started by an engine, which left a channel in the environment. The program
-- is run as lua5.4 itself would run it, and needs no line of ours: its core
-- is open, and the engine tells it to clone.

local async = require "gridcentric.platform.async"
local uv = require "luv"

local HEAP_MS = 1000

-- Tells how large the program's Lua heap is: so much may each clone come to
-- hold alone, since a full collection writes to all of it. Only here, where
-- clones are made from; the timer keeps no loop alive.
local function watch_heap(core)
	local timer = uv.new_timer()
	local told = 0
	timer:start(0, HEAP_MS, function()
		local bytes = collectgarbage "count" * 1024
		if math.abs(bytes - told) <= told / 100 then return end
		told = bytes
		core:metric("_heap", bytes)
	end)
	timer:unref()
	async.on_clone(function()
		if not timer:is_closing() then timer:close() end
	end)
end

watch_heap(async.core())

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
