-- Scripts of the administrator, run before and after each clone is made:
--
--     GRIDCENTRIC_HOOKS=examples/guest/hooks lua5.4 examples/guest/hooks.lua
--
-- Here pre-clone allows two clones only. `gcscale events` shows what the scripts print.

local gc = require "gridcentric"
local uv = require "luv"

gc.on_clone(function(vmid) print(("clone %d begins"):format(vmid)) end)

gc.request_ticket(3, 3, 1, 1000, function(ticket, err)
	if not ticket then return print("no resources: " .. err) end
	gc.clone(ticket, function(vmid, clone_err, _, vmids)
		if vmid > 0 then return uv.new_timer():start(60000, 0, function() end) end -- goes on running
		if clone_err then print("error: " .. clone_err) end
		print(("%d clones were made"):format(#vmids))
	end)
end)

uv.run()
