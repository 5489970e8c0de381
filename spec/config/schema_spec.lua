local paths = require "spec.support.paths"
local policies = require "gridcentric.policy.schema"
local routes = require "gridcentric.route.schema"
local schema = require "gridcentric.config.schema"

-- Goes through the keys of a schema and of the tables in it: fn("held.max", key, schema).
local function each_key(keys, fn, prefix)
	for _, key in ipairs(keys) do
		local name = (prefix or "") .. key[1]
		fn(name, key, keys)
		if key[2].schema then each_key(key[2].schema, fn, name .. ".") end
	end
end

local function every_key(fn)
	each_key(schema.FILE, fn)
	each_key(schema.SETUP_ONLY, fn)
	for _, signatures in ipairs { policies, routes } do
		for name, signature in pairs(signatures) do
			each_key(signature.keys, fn, name .. ".")
			if signature.item and signature.item.schema then
				each_key(signature.item.schema, fn, name .. ".item.")
			end
		end
	end
end

describe("the description of each key", function()
	it("is a sentence, and says what holds without the key", function()
		every_key(function(name, key)
			assert(key.text:find "^%u.*%.$", name)
			local has_default = key.default ~= nil or key.unset or key.required
			assert(has_default, name .. ": what holds without it?")
			assert(not (key.required and (key.default ~= nil or key.unset)), name)
		end)
	end)

	it("has a default of its type", function()
		every_key(function(name, key)
			if key.default == nil then return end
			local value, err = key[2](key.default)
			assert(value ~= nil, ("%s: %s"):format(name, err))
		end)
	end)

	it("has synonyms that are no keys themselves", function()
		every_key(function(name, key, keys)
			for _, synonym in ipairs(key.synonyms or {}) do
				assert(not keys.by_name[synonym], ("%s: %s"):format(name, synonym))
				assert.equal(key[1], keys.synonyms[synonym], name)
			end
		end)
	end)
end)

describe("the limits of the proxy", function()
	local function read(path)
		local file <close> = assert(io.open(paths.root .. "/" .. path))
		return file:read "a"
	end

	it("have the defaults that the core has where nobody says any", function()
		local source, n = read "csrc/proxy/options.c", 0
		for name, seconds in source:gmatch "%.(%w+_timeout)_ms = (%d+)" do
			local key = schema.FILE.by_name.limits[2].schema.by_name[name]
			assert.equal(tonumber(seconds), key.default, name)
			n = n + 1
		end
		assert(n >= 6)
		local kilobytes = read("csrc/proxy/relay.h"):match "RELAY_BLOCK = (%d+) %* 1024"
		local head = schema.FILE.by_name.limits[2].schema.by_name.head
		assert.equal(tonumber(kilobytes) * 1024, head.default)
	end)
end)
