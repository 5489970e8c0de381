-- Checks what policies, combinators and routes are called with: keys, and a list of items beside
-- them. Raises at once, and blames the line of the policy file.
--
--	max_of { ratio {}, schedule { ... } }          items only
--	clamp { min = 1, max = 4, ratio {} }           both

local options = require "gridcentric.util.options"

local arguments = {}

-- Parts the list from the keys.
local function split(fields)
	local items, keys = {}, {}
	for key, value in pairs(fields) do
		if math.type(key) == "integer" then items[key] = value else keys[key] = value end
	end
	return items, keys
end

local function check_items(signature, items)
	local list, wrong = options.list(signature.item)(items)
	if not list then return nil, wrong end
	if #list < signature.least then return nil, ("item %d: missing"):format(#list + 1) end
	if signature.most and #list > signature.most then
		return nil, "one policy expected (max_of or min_of join several)"
	end
	return list
end

-- Returns keys and items, or nil and what is wrong.
local function check(signature, given)
	local fields, unreadable = options.fields(given, signature.keys)
	if not fields then return nil, unreadable end
	if not signature.item then return options.check(signature.keys, fields) end
	local items, keys = split(fields)
	local values, err = options.check(signature.keys, keys)
	if not values then return nil, err end
	local list, wrong = check_items(signature, items)
	if not list then return nil, wrong end
	return values, list
end

---Blames the caller's caller.
---@param signature gridcentric.Signature
---@param given any
---@return table values of the keys
---@return any[] items
function arguments.demand(signature, given)
	local values, items = check(signature, given)
	if values then return values, items end
	error(("%s: %s"):format(signature.name, items), 3) -- what is wrong
end

return arguments
