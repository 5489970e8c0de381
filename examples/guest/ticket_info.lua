-- Shows what a ticket gave: up to four clones, depending on the resources.

local gc = require "gridcentric"

gc.request_ticket(8, 1, 2, 1000, function(ticket, err)
	if not ticket then return print("no resources: " .. err) end
	gc.ticket_info(ticket, function(info)
		print(("ticket %s is %s"):format(info.id, info.status))
		print(("%d CPUs, %d clones of %d each"):format(info.cpus, info.vms, info.mincpuspervm))
		gc.release_ticket(ticket, function(ok, release_err)
			print(ok and "released" or release_err)
		end)
	end)
end)

require("luv").run()
