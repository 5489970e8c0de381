-- Calls the functions of a policy, which may fail. An error harms nothing: it is reported, and
-- known for as long as the function goes on failing. How often it failed, since when and until
-- when, is known afterwards, too.
--
-- A function that took too long is not called again for a while: a service whose policy uses up its
-- limit at each call would do nothing else, and not even end.

local printable = require "gridcentric.util.printable"
local sandbox = require "gridcentric.policy.sandbox"
local view = require "gridcentric.policy.sandbox.view"

local faults = {}

local LONGEST_ERROR = 600
local MAX_PLACES = 100 -- more are no places: an error may have any text
local PAUSE_S = 10 -- before a function that took too long is called again
local SLOW_S = 0.05 -- nobody is served meanwhile, so the user is told

---A function that fails or has failed.
---@class gridcentric.Fault
---@field what string its name
---@field err string the last error
---@field count integer errors, from the first to the last
---@field began number seconds
---@field ended number? when it worked again; seconds. Nil while it fails
---@field resume_at number? it took too long, and is not called before; seconds

---@class gridcentric.Faults: gridcentric.FaultOptions
---@field on_fault fun(what: string, err: string, is_new: boolean)
---@field by_name table<string, gridcentric.Fault> the last one of each function
---@field last gridcentric.Fault? that began last
---@field seconds number spent in the policy's functions
---@field places table<string, boolean> in the file, where something has failed
local Faults = { __name = "gridcentric.controller.faults" }
Faults.__index = Faults

---@class gridcentric.FaultOptions
---@field on_passed? fun(fault: gridcentric.Fault) called when a function works again
---@field on_slow? fun(what: string, seconds: number) called when one took long
---@field now? fun(): number seconds

---@param on_fault fun(what: string, err: string, is_new: boolean) called for each error; is_new:
--- there has been none at that place of the file
---@param o? gridcentric.FaultOptions
---@return gridcentric.Faults
function faults.new(on_fault, o)
	o = o or {}
	return setmetatable({
		on_fault = on_fault,
		on_passed = o.on_passed or function() end,
		on_slow = o.on_slow or function() end,
		now = o.now or function() return 0 end,
		by_name = {}, places = {}, nplaces = 0, seconds = 0,
	}, Faults)
end

local function is_new_place(self, what, err)
	local place = err:match "^.-:%d+:" or what
	if self.places[place] or self.nplaces >= MAX_PLACES then return false end
	self.places[place] = true
	self.nplaces = self.nplaces + 1
	return true
end

---A function has failed.
---@param what string its name
---@param err string
---@param code? "INTERRUPTED" it took too long
function Faults:blame(what, err, code)
	err = printable.line(err, LONGEST_ERROR)
	local now, fault = self.now(), self.by_name[what]
	if not fault or fault.ended then
		fault = { what = what, count = 0, began = now }
		self.by_name[what], self.last = fault, fault
	end
	fault.err, fault.count = err, fault.count + 1
	fault.resume_at = code == "INTERRUPTED" and now + PAUSE_S or nil
	self.on_fault(what, err, is_new_place(self, what, err))
end

---A function works.
---@param what string
function Faults:clear(what)
	local fault = self.by_name[what]
	if not fault or fault.ended then return end
	fault.ended = self.now()
	self.on_passed(fault)
end

---Whether a function is not to be called now, because it took too long.
---@param what string
---@return boolean
function Faults:is_paused(what)
	local fault = self.by_name[what]
	return fault ~= nil and not fault.ended and fault.resume_at ~= nil
		and self.now() < fault.resume_at
end

---Counts the time since a function was called.
---@param what string
---@param since number seconds
function Faults:count_time(what, since)
	local spent = self.now() - since
	self.seconds = self.seconds + spent
	if spent >= SLOW_S then self.on_slow(what, spent) end
end

local function settle(self, what, since, ok, ...)
	self:count_time(what, since)
	if ok then
		self:clear(what)
		return true, ...
	end
	self:blame(what, ...)
	return false
end

---Calls fn, unless it is paused.
---@param what string its name
---@param fn function
---@return boolean ok
---@return any ... what it returned
function Faults:call(what, fn, ...)
	if self:is_paused(what) then return false end
	return settle(self, what, self.now(), sandbox.call(fn, ...))
end

-- Those that fail now, by name.
local function failing(self)
	local list = {}
	for _, fault in pairs(self.by_name) do
		if not fault.ended then list[#list + 1] = fault end
	end
	table.sort(list, function(a, b) return a.what < b.what end)
	return list
end

---What is wrong now; of several functions the first by name.
---@return string?
function Faults:text()
	local first = failing(self)[1]
	return first and first.err
end

---Each function's last fault, also if it has passed; by name.
---@return gridcentric.Fault[]
function Faults:list()
	local list = {}
	for _, fault in pairs(self.by_name) do list[#list + 1] = view.copy(fault) end
	table.sort(list, function(a, b) return a.what < b.what end)
	return list
end

---There is a new file: nothing of it has failed yet.
function Faults:forget()
	self.by_name, self.last, self.places, self.nplaces = {}, nil, {}, 0
end

return faults
