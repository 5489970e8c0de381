-- What policies see of the controller's tables: views that read as the tables do, and that can be
-- changed without changing them.
--
--	view.of(clone)        reads as the clone; to write to it is an error
--	view.origin(seen)     the clone again; nil for anything else
--	view.of_list(clones)  reads as the list of views; the first write makes it a list of its own
--	view.copy(sample)     a deep copy, for what is small
--
-- A view of a clone is always the same, so that policies can compare views and use them as keys. A
-- copy would not do: a route is asked for each new user, and there may be 10,000 clones.

local view = {}

-- Metatables of views of lists and of clones.
local IS_LIST, IS_CLONE = {}, {}
local VIEW = {} -- the key of its view in a clone

local function is(value, kind)
	local meta = type(value) == "table" and debug.getmetatable(value)
	return meta and meta[kind] or nil
end

local function new_view(clone)
	return setmetatable({}, {
		__name = "gridcentric.clone",
		__index = clone,
		__newindex = function(_, key)
			error(("a clone cannot be changed (%s)"):format(tostring(key)), 2)
		end,
		__pairs = function() return next, view.copy(clone), nil end,
		__metatable = false,
		[IS_CLONE] = clone,
	})
end

---@param clone gridcentric.Clone
---@return gridcentric.Clone
function view.of(clone)
	local seen = clone[VIEW]
	if not seen then
		seen = new_view(clone)
		clone[VIEW] = seen
	end
	return seen
end

---@param value any that a policy gave back
---@return gridcentric.Clone?
function view.origin(value)
	return is(value, IS_CLONE)
end

-- Makes the view a list of its own.
local function part(seen, clones)
	debug.setmetatable(seen, nil)
	for i, clone in ipairs(clones) do seen[i] = view.of(clone) end
	return seen
end

---@param clones gridcentric.Clone[]
---@return gridcentric.Clone[]
function view.of_list(clones)
	return setmetatable({}, {
		__name = "gridcentric.clones",
		__index = function(_, i)
			local clone = clones[i]
			return clone and view.of(clone)
		end,
		__newindex = function(seen, i, value) part(seen, clones)[i] = value end,
		__len = function() return #clones end,
		__pairs = function(seen) return next, part(seen, clones), nil end,
		__metatable = false,
		[IS_LIST] = clones,
	})
end

---Whether a view of a list is still one, and can be shown again.
---@param seen table?
---@return boolean
function view.is_intact(seen)
	return seen ~= nil and next(seen) == nil and is(seen, IS_LIST) ~= nil
end

---Lua's next(), which would find nothing in a view.
---@param t table
---@param key any
function view.next(t, key)
	local clones = is(t, IS_LIST)
	if clones then part(t, clones) end
	local clone = is(t, IS_CLONE)
	return next(clone and view.copy(clone) or t, key)
end

---A deep copy of a table of ours, which has no circles.
---@param value any
---@return any
function view.copy(value)
	if type(value) ~= "table" then return value end
	local copied = {}
	for key, inner in pairs(value) do
		if key ~= VIEW then copied[key] = view.copy(inner) end
	end
	return copied
end

return view
