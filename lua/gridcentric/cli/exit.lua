-- How gcscale ends: its exit statuses, and its last words.

local printable = require "gridcentric.util.printable"

local exit = {
	OK = 0, -- also when a signal ended a service in order
	FAILED = 1, -- something failed: standard error says what
	USAGE = 2, -- the command line is wrong
	POLICY = 3, -- the policy file is wrong
	NOTHING = 4, -- nothing is running (of that name)
	-- 128 + n: a second signal n ended the service at once
}

---Says why on stderr.
---@param status integer
---@param text string? nil where it was reported already
---@return integer status
function exit.fail(status, text)
	if text then io.stderr:write("gcscale: ", printable.lines(text), "\n") end
	return status
end

return exit
