-- Shows on a line of the terminal how long a virtual machine has been booting, and removes the line
-- in the end. Shows nothing where there is no terminal.

local uv = require "luv"

local boot_line = {}

local GAP_MS = 1000

---@param terminal gridcentric.Terminal stdout's
---@param name string of the image
---@param write? fun(text: string)
---@return fun() # removes the line; may be called twice
function boot_line.start(terminal, name, write)
	if not terminal.is_tty then return function() end end
	write = write or function(text) io.stdout:write(text):flush() end
	local since, timer = uv.now(), uv.new_timer()
	local function show()
		write(("\r%s boots: %.0f s\27[K"):format(name, (uv.now() - since) / 1000))
	end
	show()
	timer:start(GAP_MS, GAP_MS, show)
	return function()
		if timer:is_closing() then return end
		timer:close()
		write "\r\27[K"
	end
end

return boot_line
