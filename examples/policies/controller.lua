-- The fourth way: the controller, used from Lua. No policy file and no gcscale: a program that
-- scales itself, tells what happens to it in its own way, and ends in order.
--
--	lua5.4 examples/policies/controller.lua [port]     then: curl http://127.0.0.1:8080

local uv = require "luv"
local autoscale = require "gridcentric.autoscale"
local gc = require "gridcentric"
local max_of = require "gridcentric.policy.max_of"
local ratio = require "gridcentric.policy.ratio"

local LOOK_MS = 1000

io.stdout:setvbuf "line"

-- The program: says which clone answers.
local function answer(client)
	local body = ("clone %d\n"):format(gc.vmid())
	client:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
end

local server = uv.new_tcp()
assert(server:bind("127.0.0.1", tonumber(os.getenv "PORT") or 0)) -- gcscale says where
assert(server:listen(128, function()
	local client = uv.new_tcp()
	server:accept(client)
	client:read_start(function(err, data)
		if data then return answer(client) end
		client:close()
	end)
end))

-- The service: at least one clone, and one for every two users.
local service = autoscale.setup(tonumber(arg[1]) or 8080, server:getsockname().port, {
	scale = max_of { ratio { metric = "sessions", per_clone = 2 }, 1 },
	log = function(what, vmid, text) print(("%-8s %s"):format(what, text)) end,
})
if not service then return uv.run() end -- under gcscale, which scales it already

-- Looks at it now and then.
local shown
local timer = uv.new_timer()
timer:start(LOOK_MS, LOOK_MS, function()
	local report = service:report()
	local line = ("users %d, clones %d: %s"):format(report.sessions, #report.clones, report.reason)
	if line ~= shown then print(("%-8s %s"):format("load", line)) end
	shown = line
end)

-- Lets those who are there finish; a second signal ends it at once.
local signal = uv.new_signal()
signal:start("sigterm", function()
	service:shutdown(function()
		print "all is over"
		os.exit(0)
	end)
end)

-- A clone inherits all of this, and is no service of its own.
gc.on_clone(function()
	timer:close()
	signal:close()
end)

uv.run()
