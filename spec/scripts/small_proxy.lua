-- A proxy that sends everything to one server, for a spec that limits its resources.
-- Usage: small_proxy.lua port [max_connections]

local uv = require "luv"
local async = require "gridcentric.platform.async"
local core = require "gridcentric.core"

local server, max_connections = tonumber(arg[1]), tonumber(arg[2])
local proxy = assert(core.new_proxy(async.core(), { max_connections = max_connections }))

async.on("proxy_request", function(_, conn) proxy:route(conn, "127.0.0.1", server) end)
async.on("proxy_failed", function(_, conn, reason) proxy:refuse(conn, 503, reason) end)

assert(proxy:listen("127.0.0.1", 0))
print("listening on " .. select(2, proxy:address()))
io.stdout:flush()
async.hold()
uv.run()
