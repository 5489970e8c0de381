-- Shows the progress of a piece of work: a line for each step, and a bar on a terminal.

local progress = {}

local BAR = 20 -- characters of the bar

local function bar(terminal, share)
	local full = math.floor(share * BAR + 0.5)
	local done, left = "#", "."
	if terminal.is_unicode then done, left = "█", "░" end
	return done:rep(full) .. terminal.paint("dim", left:rep(BAR - full))
end

---@class gridcentric.Progress: gridcentric.ImageProgress
---@field finish fun() ends the open line

---@param terminal gridcentric.Terminal stdout's
---@param steps integer how many steps there will be
---@param write? fun(text: string)
---@return gridcentric.Progress
function progress.new(terminal, steps, write)
	write = write or function(text)
		io.stdout:write(text)
		io.stdout:flush()
	end
	local current, text = 0, ""
	local self = {}

	local function draw(share)
		local line = (" %d/%d %s"):format(current, steps, text)
		local room = math.max((terminal.width or 80) - BAR - 3, 10)
		write("\r[" .. bar(terminal, share) .. "]" .. line:sub(1, room) .. "\27[K")
	end

	function self.step(what)
		if terminal.is_tty and current > 0 then self.finish() end
		current, text = current + 1, what
		if terminal.is_tty then return draw((current - 1) / steps) end
		write(("%d/%d %s\n"):format(current, steps, what))
	end

	function self.part(share)
		if terminal.is_tty then draw((current - 1 + share) / steps) end
	end

	function self.finish(failed)
		if not terminal.is_tty or current == 0 then return end
		if not failed then draw(current / steps) end
		write "\n"
	end

	return self
end

return progress
