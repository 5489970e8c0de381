-- gcscale, see gcscale(1). Finds its modules by LUA_PATH and LUA_CPATH, which bin/gcscale sets.

-- Ctrl-C ends it, as other programs; lua5.4 would tell where it was. `run` and `record` see to it
-- themselves.
local uv = require "luv"
local sigint = uv.new_signal()
sigint:start("sigint", function() end)
sigint:close() -- leaves what a process begins with
uv.run "nowait"

os.exit(require("gridcentric.cli").main(arg))
