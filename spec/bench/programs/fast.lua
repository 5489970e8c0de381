-- A program for the proxies: its clones are fast web servers, see lua_server.c.

local uv = require "luv"
local async = require "gridcentric.platform.async"
local gc = require "gridcentric"
local server = require "bench.server"

server.listen(tonumber(os.getenv("PORT")))
gc.on_clone(server.serve) -- which does not return
async.hold()
uv.run()
