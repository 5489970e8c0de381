-- Measures the processor time and memory of clones, and leaves them as clone.cpu and clone.memory.
--
-- Reading takes time, so clones take turns: a step reads the processor time of 100 clones, and the
-- memory of as many clones as a hundredth of the time allows. Of 1,000 clones, the processor time
-- of each is read every 10 seconds; the memory every 100 seconds, if each has 100 MB in memory.
--
-- The functions that read, and the clock, are arguments.

local usage = {}

local CPU_BATCH = 100 -- clones whose processor time is read in a step; that takes 1 ms
local MEMORY_SHARE = 0.01 -- of the time that may be spent on reading memory
local MEMORY_STEP_S = 0.01 -- then the other clones wait for the next step
local MEMORY_EVERY_S = 5 -- at least, between two readings of one clone
local LATE_S = 1
local NEW_S = 2 -- a clone without a reading is idle this long, then it is like the others

---@class gridcentric.UsageOptions
---@field cpu_time fun(pid: integer): number? seconds
---@field private_memory fun(pid: integer): integer? bytes
---@field now fun(): number seconds

---@class gridcentric.Usage: gridcentric.UsageOptions
---@field seen table<gridcentric.Clone, { cpu_at: number?, cpu_time: number?, memory_at: number? }>
local Usage = { __name = "gridcentric.usage" }
Usage.__index = Usage

---@param o gridcentric.UsageOptions
---@return gridcentric.Usage
function usage.new(o)
	return setmetatable({
		cpu_time = o.cpu_time,
		private_memory = o.private_memory,
		now = o.now,
		seen = setmetatable({}, { __mode = "k" }),
		cpu_slot = 0, -- of the clone whose turn was last
		memory_slot = 0,
		memory_due = -math.huge,
	}, Usage)
end

-- The clone whose turn it is: the first one behind a slot. The list is in the order of slots.
local function position(clones, slot)
	local low, high = 1, #clones + 1
	while low < high do
		local middle = (low + high) // 2
		if clones[middle].slot <= slot then low = middle + 1 else high = middle end
	end
	return low <= #clones and low or 1
end

local function note_of(self, clone)
	local note = self.seen[clone] or {}
	self.seen[clone] = note
	return note
end

local function read_cpu(self, clone)
	local now, time, note = self.now(), self.cpu_time(clone.pid), note_of(self, clone)
	if not time then return end -- its process is ending
	if note.cpu_at and now > note.cpu_at then
		clone.cpu = (time - note.cpu_time) / (now - note.cpu_at)
	end
	note.cpu_at, note.cpu_time = now, time
end

local function step_cpu(self, clones)
	local at = position(clones, self.cpu_slot)
	for _ = 1, math.min(#clones, CPU_BATCH) do
		local clone = clones[at]
		read_cpu(self, clone)
		self.cpu_slot = clone.slot
		at = at % #clones + 1
	end
end

local function step_memory(self, clones)
	local began = self.now()
	if began < self.memory_due then return end
	local at, spent = position(clones, self.memory_slot), 0
	for _ = 1, #clones do
		local clone, note = clones[at], note_of(self, clones[at])
		if not note.memory_at or began - note.memory_at >= MEMORY_EVERY_S then
			clone.memory = self.private_memory(clone.pid) or clone.memory
			note.memory_at = began
			spent = self.now() - began
		end
		self.memory_slot = clone.slot
		if spent >= MEMORY_STEP_S then break end
		at = at % #clones + 1
	end
	-- steps that come late do not lower the share
	self.memory_due = math.max(self.memory_due, began - LATE_S) + spent / MEMORY_SHARE
end

---Reads some clones; to be called about once a second.
---@param clones gridcentric.Clone[] that serve, in the order of their slots
function Usage:step(clones)
	if #clones == 0 then return end
	step_cpu(self, clones)
	step_memory(self, clones)
end

-- The average over those that have the value.
local function average(clones, key)
	local sum, n = 0, 0
	for _, clone in ipairs(clones) do
		local value = clone[key]
		if value then sum, n = sum + value, n + 1 end
	end
	return n > 0 and sum / n or nil
end

---How many clones the processor time was averaged over. A clone that has just become ready has no
---reading yet, and no work: an average that counted it would make up load.
---@param clones gridcentric.Clone[]
---@param now number
---@return integer
function usage.measured_over(clones, now)
	local n = 0
	for _, clone in ipairs(clones) do
		if clone.cpu or now - clone.since >= NEW_S then n = n + 1 end
	end
	return n
end

---@param clones gridcentric.Clone[]
---@return { cpu: number?, memory: number?, memory_per_clone: number? } # nil if not known yet
function usage.measure(clones)
	if #clones == 0 then return { cpu = 0, memory = 0 } end
	local memory = average(clones, "memory")
	return {
		cpu = average(clones, "cpu"),
		-- clones that were not read yet are assumed to be like the others
		memory = memory and memory * #clones,
		memory_per_clone = memory,
	}
end

return usage
