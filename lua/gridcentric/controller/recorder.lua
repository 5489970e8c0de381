-- Keeps a row for each time that the policy was asked, for `gcscale record` to fetch.
--
--	recorder:fetch(nil, names)   begins; rows from now on are kept
--	recorder:note { ... }        each time; costs nothing while nobody records
--	recorder:fetch(17)           rows behind the 17th
--
-- It ends by itself when nobody has fetched for a while. Rows of one turn of the loop have one
-- time, so that replay takes them as one instant, too.

local trace = require "gridcentric.trace"

local recorder = {}

local QUIET_S = 30
local MAX_ROWS = 100000 -- kept; the oldest go
local MAX_FETCH = 512 * 1024 -- bytes at a time; a message between processes has 1 MiB at most

---@class gridcentric.Recorder
---@field columns gridcentric.TraceColumns? while it records
---@field last integer number of the last row
local Recorder = { __name = "gridcentric.recorder" }
Recorder.__index = Recorder

---@param clock gridcentric.Clock
---@return gridcentric.Recorder
function recorder.new(clock)
	return setmetatable({ clock = clock, last = 0 }, Recorder)
end

local function begin(self, names)
	local clock = self.clock
	self.columns = trace.columns(names)
	self.rows, self.first = {}, self.last + 1
	self.epoch = clock.time() - clock.now()
end

local function stop(self)
	self.columns, self.rows = nil, nil
end

-- The time of the turn: that of its first row.
local function time_of_turn(self, now)
	if not self.turn_at then
		self.turn_at = now
		self.clock.after(0, function() self.turn_at = nil end)
	end
	return self.turn_at
end

---The policy was asked.
---@param now number
---@param cause "tick"|"arrival"|"change"
---@param sample gridcentric.Sample
---@param desired integer what it said
---@param wanted integer what the plan made of that
function Recorder:note(now, cause, sample, desired, wanted)
	if not self.columns then return end
	if now - self.fetched_at > QUIET_S then return stop(self) end
	self.last = self.last + 1
	self.rows[self.last] = trace.row(self.columns, {
		at = self.epoch + time_of_turn(self, now), cause = cause, desired = desired, wanted = wanted,
	}, sample)
	if self.last - self.first < MAX_ROWS then return end
	self.rows[self.first] = nil
	self.first = self.first + 1
end

---@class gridcentric.Recorded
---@field columns string the header
---@field rows string lines
---@field last integer number of the last of these rows, to go on with
---@field lost integer rows that are not kept any more
---@field more boolean whether there are further ones

---@param after integer? number of the last row that is known; nil: only those to come
---@param names string[] of the user's own metrics, which a new recording is to have
---@return gridcentric.Recorded
function Recorder:fetch(after, names)
	self.fetched_at = self.clock.now()
	if not self.columns then begin(self, names) end
	after = math.min(after or self.last, self.last)
	local lines, size, next_row = {}, 0, math.max(after + 1, self.first)
	local lost = next_row - after - 1
	while next_row <= self.last and size < MAX_FETCH do
		lines[#lines + 1] = self.rows[next_row]
		size = size + #self.rows[next_row] + 1
		next_row = next_row + 1
	end
	lines[#lines + 1] = ""
	return {
		columns = self.columns.header,
		rows = table.concat(lines, "\n"),
		last = next_row - 1,
		lost = lost,
		more = next_row <= self.last,
	}
end

return recorder
