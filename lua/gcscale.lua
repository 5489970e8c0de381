-- gcscale, see gcscale(1). Finds its modules by LUA_PATH and LUA_CPATH, which bin/gcscale sets.

local uv = require "luv"

-- Ctrl-C ends it, as it does other programs; lua5.4 would print a traceback. Commands that have
-- something to end in order catch it themselves.
local sigint = uv.new_signal()
sigint:start("sigint", function() end)
sigint:close() -- leaves the signal as it is at the start of a process
uv.run "nowait"

-- Output that nobody reads any more is no reason to die: writing fails instead. Caught rather than
-- ignored, so that programs that are started do not inherit it.
local sigpipe = uv.new_signal()
sigpipe:start("sigpipe", function() end)
sigpipe:unref()

os.exit(require("gridcentric.cli").main(arg))
