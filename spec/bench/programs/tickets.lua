-- Requests and releases a ticket N times; says how long each took to be granted, in ns.

local uv = require "luv"
local gc = require "gridcentric"

local WARM_UP = 10

local function run(left, took)
	if left == 0 then return end
	local since = uv.hrtime()
	gc.request_ticket(1, 1, 1, 1000, function(ticket, err)
		local ns = uv.hrtime() - since
		assert(ticket, err)
		took[#took + 1] = ("%d"):format(ns)
		gc.release_ticket(ticket, function() run(left - 1, took) end)
	end)
end

run(WARM_UP, {})
uv.run()
local took = {}
run(tonumber(arg[1]), took)
uv.run()
print(table.concat(took, "\n"))
