-- Converters from words of the command line to values, as argparse takes them:
--
--	local n, err = values.whole_number(1) "12"
--
-- Each gives the value, or nil and what was expected.

local app = require "gridcentric.config.schema_app"
local host_port = require "gridcentric.util.host_port"
local units = require "gridcentric.util.units"

local values = {}

---@alias gridcentric.Converter fun(text: string): any, string?

local LEAST_DISK, LARGEST_DISK = 2 ^ 20, 2 ^ 41

local function mismatch(expected, text)
	return nil, ("%s expected, got %q"):format(expected, text)
end

---@param min integer
---@param max? integer
---@return gridcentric.Converter
function values.whole_number(min, max)
	local expected = max and ("a whole number from %d to %d"):format(min, max)
		or ("a whole number from %d"):format(min)
	return function(text)
		local n = text:find "^%d+$" and math.tointeger(tonumber(text))
		if n and n >= min and n <= (max or n) then return n end
		return mismatch(expected, text)
	end
end

-- A number with or without a unit, from 0 to max.
local function quantity(expected, known, max)
	return function(text)
		local value = tonumber(text) or units.read(text, known)
		if value and value >= 0 and value <= max then return value end
		return mismatch(expected, text)
	end
end

---"5ms", or a number of seconds.
values.time = quantity('a time such as "5ms"', units.TIME, 3600)

---"10%", or a share of 1.
values.share = quantity('a share such as "10%"', units.SHARE, 1)

---"127.0.0.1:8080", or a port.
function values.address(text)
	return host_port.read(text)
end

function values.port(text)
	local n = text:find "^%d+$" and math.tointeger(tonumber(text))
	if n and n <= 65535 then return n end
	return mismatch("a port from 0 to 65535", text)
end

---A name that a service may have.
function values.service_name(text)
	if text:find "^%w[%w._-]*$" then return text end
	return mismatch("a name of letters, digits, dots, - and _", text)
end

---Bytes: "2G".
function values.disk_size(text)
	local bytes = units.read(text, units.SIZE)
	if bytes and bytes >= LEAST_DISK and bytes <= LARGEST_DISK then return math.floor(bytes) end
	return mismatch('a size such as "2G"', text)
end

---What app = { ... } of a policy file takes for this key.
---@param name "memory"|"cpus"|"accel"
---@return gridcentric.Converter
function values.machine(name)
	return function(text) return app.MACHINE.by_name[name][2](tonumber(text) or text) end
end

return values
