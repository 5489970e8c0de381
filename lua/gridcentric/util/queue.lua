-- A queue that anything in it can leave at once.
--
-- Each operation takes constant time. An item is any value but nil, and is in a queue at most once.

local queue = {}

---@class gridcentric.Queue
---@field first any the item that came first; nil when the queue is empty
---@field last any
---@field length integer
local Queue = { __name = "gridcentric.util.queue" }
Queue.__index = Queue

---@return gridcentric.Queue
function queue.new()
	return setmetatable({ length = 0, after = {}, before = {} }, Queue)
end

---Puts an item, which must not be in the queue, at its end.
function Queue:push(item)
	if self.last == nil then
		self.first = item
	else
		self.after[self.last], self.before[item] = item, self.last
	end
	self.last = item
	self.length = self.length + 1
end

---@return boolean
function Queue:has(item)
	return item == self.first or self.before[item] ~= nil
end

---Takes an item out; harmless if it is not in.
function Queue:remove(item)
	if item == nil or not self:has(item) then return end
	local before, after = self.before[item], self.after[item]
	if before == nil then self.first = after else self.after[before] = after end
	if after == nil then self.last = before else self.before[after] = before end
	self.before[item], self.after[item] = nil, nil
	self.length = self.length - 1
end

---Takes the first item out.
---@return any # nil when the queue is empty
function Queue:pop()
	local item = self.first
	self:remove(item)
	return item
end

---All items in order, as they are now: the queue may be changed on the way.
---@return any[]
function Queue:list()
	local items, item = {}, self.first
	while item ~= nil do
		items[#items + 1] = item
		item = self.after[item]
	end
	return items
end

return queue
