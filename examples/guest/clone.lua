-- A ticket, then a clone: the first script of 2011.

local gc = require "gridcentric"

-- at most 1 CPU, at least 1 clone, 1 CPU for each, within 1000 ms
gc.request_ticket(1, 1, 1, 1000, function(ticket, err)
	if not ticket then return print("no resources: " .. err) end
	gc.clone(ticket, function(vmid, clone_err)
		if vmid < 0 then
			print("error: " .. clone_err)
		elseif vmid == 0 then
			print("still the master")
		else
			print("clone number " .. vmid)
		end
	end)
end)

require("luv").run()
