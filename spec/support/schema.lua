-- Looks into functions for the schemas of options that they check; see
-- lua/gridcentric/util/options.lua.

local schema = {}

---The value of a local variable that a function uses.
---@param fn function
---@param wanted string its name
---@return any
function schema.upvalue(fn, wanted)
	for i = 1, math.huge do
		local name, value = debug.getupvalue(fn, i)
		if name == wanted then return value end
		if not name then return nil end
	end
end

---The schema of a key that is a table with keys of its own.
---@param entry gridcentric.Key
---@return gridcentric.Schema?
function schema.inner(entry)
	return schema.upvalue(entry[1], "schema")
end

---Goes through the keys of a schema and of the tables in it: fn("held.max", entry).
---@param keys gridcentric.Schema
---@param prefix string
---@param fn fun(name: string, entry: gridcentric.Key)
function schema.each_key(keys, prefix, fn)
	for name, entry in pairs(keys) do
		local inner = schema.inner(entry)
		if inner then schema.each_key(inner, prefix .. name .. ".", fn) else fn(prefix .. name, entry) end
	end
end

---What a policy file finds as globals, by name: policies, combinators and routes.
---@return table<string, function>
function schema.globals()
	local policy = require "gridcentric.config.load"
	local found = {}
	local ready = assert(schema.upvalue(schema.upvalue(policy.load, "run"), "READY"))
	for _, some in ipairs { ready, require("gridcentric.route").READY } do
		for name, fn in pairs(some) do found[name] = fn end
	end
	return found
end

---The options of a ready policy or route; nil if it has none.
---@param fn function
---@return gridcentric.Schema?
function schema.options_of(fn)
	return schema.upvalue(fn, "OPTIONS")
end

return schema
