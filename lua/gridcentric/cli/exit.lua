-- How gcscale ends: its exit statuses, and the last words.

local exit = {
	OK = 0, -- also when it was asked to end by a signal, and all has ended in order
	FAILED = 1, -- something did not work: the text says what
	USAGE = 2, -- the command line is wrong
	POLICY = 3, -- the policy file is wrong
	NOTHING = 4, -- nothing runs (by that name)
	-- 128 + n: a second signal n ended it at once
}

---Tells why on stderr.
---@param status integer
---@param text string? nil where it was told already
---@return integer status
function exit.fail(status, text)
	if text then io.stderr:write("gcscale: ", text, "\n") end
	return status
end

return exit
