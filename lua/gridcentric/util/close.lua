-- Closes a luv handle where luv can bear it.
--
-- luv 1.44 crashes in lua_close() if a handle was closed and no turn of the loop has completed
-- that. So what is closed outside of the loop, for example because setup() fails in a program that
-- never comes to run it, is closed by the loop's next turn, if there is one. A handle that is not
-- closed does no harm: lua_close() closes it.

local uv = require "luv"

local function close_now(handle)
	if not handle:is_closing() then handle:close() end
end

---@param handle userdata may be closed, or about to be
return function(handle)
	if uv.loop_mode() then return close_now(handle) end
	local timer = uv.new_timer()
	timer:start(0, 0, function()
		timer:close()
		close_now(handle)
	end)
end
