-- The controller's clock in a live service, by luv. Specs and replay have virtual clocks with the
-- same functions.

local close_handle = require "gridcentric.util.close"
local guard = require "gridcentric.util.guard"
local uv = require "luv"

local clock = {}

---@class gridcentric.Clock
---@field now fun(): number seconds, monotonic
---@field time fun(): number seconds since 1970, for what goes by the calendar
---@field after fun(seconds: number, fn: fun()): fun() calls fn once; what it returns cancels that

---@param on_error fun(text: string) called with errors in the functions that the clock calls
---@return gridcentric.Clock
function clock.new(on_error)
	local self = {}

	function self.now() return uv.hrtime() / 1e9 end

	function self.time()
		local seconds, us = uv.gettimeofday()
		return seconds + us / 1e6
	end

	-- With 0 seconds fn is called at the end of this turn of the loop.
	function self.after(seconds, fn)
		local timer = uv.new_timer()
		local function cancel()
			if timer:is_closing() then return end
			timer:stop()
			close_handle(timer)
		end
		local run = guard.protect(fn, on_error)
		uv.update_time() -- luv counts from the beginning of this turn, which may be long ago
		timer:start(math.ceil(seconds * 1000), 0, function()
			cancel()
			run()
		end)
		return cancel
	end

	return self
end

return clock
