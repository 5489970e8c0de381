-- The parts of man/gridcentric.3 that are made from the descriptions of keys: the options of
-- autoscale.setup, and the names of those that policy files have, too. Pure.

local key_list = require "key_list"
local schema = require "gridcentric.config.schema"

local PARTS = {
	["options of autoscale.setup"] = function() return key_list.lines(schema.SETUP_ONLY) end,
	["keys of policy files"] = function() return key_list.names(schema.SHARED) end,
}

---The page with its lists as they should be.
---@param page string
---@return string
return function(page)
	return key_list.fill(page, "gridcentric.3", PARTS)
end
