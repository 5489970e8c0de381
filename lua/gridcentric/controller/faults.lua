-- Calls the functions of a policy, which may fail: an error in one harms nothing, is told, and is
-- known as long as the function goes on failing.

local guard = require "gridcentric.util.guard"

local faults = {}

local MAX_PLACES = 100 -- more are no places: an error may have any text

---@class gridcentric.Faults
---@field failing table<string, string> what fails now: name of the function -> its last error
---@field places table<string, boolean> in the file, where something has failed
local Faults = { __name = "gridcentric.controller.faults" }
Faults.__index = Faults

---@param on_fault fun(what: string, err: string, is_new: boolean) told of each error; is_new: there
--- has been none at that place of the file
---@return gridcentric.Faults
function faults.new(on_fault)
	return setmetatable({ on_fault = on_fault, failing = {}, places = {}, nplaces = 0 }, Faults)
end

---A function has failed.
---@param what string its name
---@param err string
function Faults:blame(what, err)
	local place = err:match "^.-:%d+:" or what
	local is_new = not self.places[place] and self.nplaces < MAX_PLACES
	if is_new then
		self.places[place] = true
		self.nplaces = self.nplaces + 1
	end
	self.failing[what] = err
	self.on_fault(what, err, is_new)
end

---It works.
---@param what string
function Faults:clear(what)
	self.failing[what] = nil
end

local function settle(self, what, ok, ...)
	if ok then
		self:clear(what)
		return true, ...
	end
	self:blame(what, (...))
	return false
end

---Calls fn.
---@param what string its name
---@param fn function
---@return boolean ok
---@return any ... what it returned
function Faults:call(what, fn, ...)
	return settle(self, what, xpcall(fn, guard.text, ...))
end

---What is wrong now; of several the first by name.
---@return string?
function Faults:text()
	local first
	for what in pairs(self.failing) do
		if not first or what < first then first = what end
	end
	return first and self.failing[first]
end

---There is a new file: nothing of it has failed yet.
function Faults:forget()
	self.failing, self.places, self.nplaces = {}, {}, 0
end

return faults
