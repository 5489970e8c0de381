-- The clock of the controller: luv's. Specs and replay bring a virtual one with the same
-- functions.

local uv = require "luv"
local guard = require "gridcentric.util.guard"

local clock = {}

---@class gridcentric.Clock
---@field now fun(): number seconds, monotonic
---@field time fun(): number seconds since 1970, for what goes by the calendar
---@field after fun(seconds: number, fn: fun()): fun() calls fn once; what it returns calls that off

---@param on_error fun(text: string) told of an error in a function that was called
---@return gridcentric.Clock
function clock.new(on_error)
	local self = {}

	function self.now() return uv.hrtime() / 1e9 end

	function self.time()
		local seconds, us = uv.gettimeofday()
		return seconds + us / 1e6
	end

	-- With 0 seconds fn is called when this turn of the loop is over.
	function self.after(seconds, fn)
		local timer = uv.new_timer()
		local function cancel()
			if not timer:is_closing() then timer:close() end
		end
		local run = guard.protect(fn, on_error)
		uv.update_time() -- luv counts from when this turn began, which may be long ago
		timer:start(math.ceil(seconds * 1000), 0, function()
			cancel()
			run()
		end)
		return cancel
	end

	return self
end

return clock
