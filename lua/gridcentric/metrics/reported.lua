-- What domains report about themselves by gc.metric(name, value): the last value of each name.

local aggregate = require "gridcentric.metrics.aggregate"

local reported = {}

local MAX_NAMES = 64 -- of one domain; the guest API has the same limit

---@class gridcentric.Reported
---@field by_vmid table<integer, table<string, number>>
local Reported = { __name = "gridcentric.reported" }
Reported.__index = Reported

---@return gridcentric.Reported
function reported.new()
	return setmetatable({ by_vmid = {}, names = {} }, Reported)
end

local function is_full(self, vmid)
	return (self.names[vmid] or 0) >= MAX_NAMES
end

---A domain has reported a value. Anything but a name with a number is ignored.
---@param vmid integer
---@param name string
---@param value number
function Reported:set(vmid, name, value)
	if not name:find "^[a-z0-9_]+$" or #name > 64 then return end
	if value ~= value or math.abs(value) == math.huge then return end
	local values = self.by_vmid[vmid] or {}
	if values[name] == nil then
		if is_full(self, vmid) then return end
		self.names[vmid] = (self.names[vmid] or 0) + 1
	end
	values[name] = value
	self.by_vmid[vmid] = values
end

---@param vmid integer
---@param name string
---@return number?
function Reported:get(vmid, name)
	local values = self.by_vmid[vmid]
	return values and values[name]
end

---A domain has ended, and its values with it.
---@param vmid integer
function Reported:forget(vmid)
	self.by_vmid[vmid], self.names[vmid] = nil, nil
end

---All domains have ended.
function Reported:clear()
	self.by_vmid, self.names = {}, {}
end

-- The values of each name. Those that begin with _ are for our own use.
local function by_name(self)
	local lists = {}
	for _, values in pairs(self.by_vmid) do
		for name, value in pairs(values) do
			local list = lists[name] or {}
			list[#list + 1] = value
			lists[name] = list
		end
	end
	for name in pairs(lists) do
		if name:find "^_" then lists[name] = nil end
	end
	return lists
end

---One number for each name.
---@param how table<string, "sum"|"avg"|"min"|"max"> of a name; those that are not in it: sum
---@return table<string, number>
---@return table<string, integer> over how many domains each was measured
function Reported:measure(how)
	local measured, over = {}, {}
	for name, values in pairs(by_name(self)) do
		measured[name], over[name] = aggregate.of(how[name] or "sum", values), #values
	end
	return measured, over
end

return reported
