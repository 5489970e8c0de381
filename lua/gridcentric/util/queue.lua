-- A queue from whose middle items can be removed.
--
-- Each operation takes constant time. An item is any value except nil, and is queued at most once.

local queue = {}

---@class gridcentric.Queue
---@field first any the oldest item; nil when the queue is empty
---@field last any
---@field length integer
local Queue = { __name = "gridcentric.util.queue" }
Queue.__index = Queue

---@return gridcentric.Queue
function queue.new()
	return setmetatable({ length = 0, after = {}, before = {} }, Queue)
end

---Appends an item, which must not be in the queue.
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

---Removes an item; does nothing if it is not in the queue.
function Queue:remove(item)
	if item == nil or not self:has(item) then return end
	local before, after = self.before[item], self.after[item]
	if before == nil then self.first = after else self.after[before] = after end
	if after == nil then self.last = before else self.before[after] = before end
	self.before[item], self.after[item] = nil, nil
	self.length = self.length - 1
end

---Removes the first item.
---@return any # nil when the queue is empty
function Queue:pop()
	local item = self.first
	self:remove(item)
	return item
end

---A copy of all items in order, so that the queue may change during the iteration.
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
