-- What routes with options are called with, each described once: see util/options.lua.
--
-- How to add one: an entry here, its file beside this one, its name in READY of init.lua, and
-- `make generate`.

local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"

local TOKEN = "^%l+:[%w!#$%%&'*+.^_`|~-]+$" -- of RFC 9110, behind the kind

local key = types.new('"source", "path", "header:NAME" or "cookie:NAME"',
	'"source"|"path"|string', function(value)
		if value == "source" or value == "path" then return value end
		local kind = type(value) == "string" and value:find(TOKEN) and value:match "^%l+"
		if kind == "header" or kind == "cookie" then return value end
		return types.mismatch('"source", "path", "header:NAME" or "cookie:NAME"', value)
	end)

---@type table<string, gridcentric.Signature>
local schema = {}

schema.hash = {
	text = "The same clone for the same key.",
	example = 'route = hash { by = "header:X-Tenant" }',
	keys = options.schema {
		{ "by", key, default = "source",
			text = "The key: the client's address, the path without its query, a header or a cookie.",
			more = "A client without that header or cookie goes by its address.", synonyms = { "key" } },
	},
}

schema.weighted = {
	text = "Each clone gets a share of the sessions that is proportional to its weight.",
	example = "route = weighted { weight = function(clone) return 1 / (1 + clone.connections) end }",
	keys = options.schema {
		{ "weight", types.func "fun(clone: gridcentric.Clone): number", required = true,
			text = "A function that returns the weight of a clone; 0: none, unless all have 0.",
			synonyms = { "weights" } },
	},
}

for name, signature in pairs(schema) do
	signature.name, signature.result = name, "gridcentric.Route"
end

return schema
