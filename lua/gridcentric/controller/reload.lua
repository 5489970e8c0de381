-- Loads the policy file again while the service is running. If anything is wrong with the file, the
-- policy stays as it is.

local change = require "gridcentric.config.change"
local policy = require "gridcentric.config.load"

-- The policy file as it is now, if the service can change to it.
local function load_checked(c)
	if not c.load then return nil, "there is no policy file: the program scales itself" end
	local new, err = c.load()
	if not new then return nil, err end
	local ok, wrong = change.check(c.policy, new)
	if not ok then return nil, wrong end
	local desired, reason = policy.decide(new, c.clock.now(), c.sample(), {}, c.active.desired)
	if not desired then return nil, reason end
	return new
end

---@param c gridcentric.Controller
---@return boolean ok
---@return string text what came of it, or what is wrong
return function(c)
	local new, err = load_checked(c)
	if not new then
		c.event("reload", nil, "the policy stays as it is: " .. err)
		return false, err
	end
	c.event("reload", nil, "the policy file was loaded again")
	c:use(new)
	return true, "the policy file was loaded again"
end
