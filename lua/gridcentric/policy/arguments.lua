-- Checks what policies and combinators are called with: keys, and a list of items beside them.
--
--	max_of { ratio {}, schedule { ... } }          items only
--	clamp { min = 1, max = 4, ratio {} }           both

local options = require "gridcentric.util.options"

local arguments = {}

-- Parts the list from the keys.
local function split(given)
	local items, keys = {}, {}
	for key, value in pairs(given) do
		if math.type(key) == "integer" then items[key] = value else keys[key] = value end
	end
	return items, keys
end

-- Returns keys and items, or nil and what is wrong.
local function check(schema, item, given)
	if type(given) ~= "table" then return options.check(schema, given) end
	local items, keys = split(given)
	local values, err = options.check(schema, keys)
	if not values then return nil, err end
	local list, wrong = options.list(item)(items)
	if not list then return nil, wrong end
	return values, list
end

---Like options.demand(), for a table that has a list, too: blames the caller's caller.
---@param schema gridcentric.Schema of the keys
---@param item gridcentric.Type of each item
---@param least integer how many items there are at least
---@param given table
---@param who string the function's name
---@return table values of the keys
---@return any[] items
function arguments.demand(schema, item, least, given, who)
	local values, items = check(schema, item, given)
	if not values then error(("%s: %s"):format(who, items), 3) end -- what is wrong
	if #items < least then error(("%s: item %d: missing"):format(who, #items + 1), 3) end
	return values, items
end

return arguments
