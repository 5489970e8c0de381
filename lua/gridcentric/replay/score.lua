-- How well a service did while it was played: what it cost, and who had to wait.
--
--	local score = score.new(start)
--	score:see(now, load, clones, serving, needed)   whenever something may have changed
--
-- What is seen holds until it is looked at again.

local score = {}

---A value over time, as steps: the i-th holds from at[i] to at[i + 1].
---@class gridcentric.Steps
---@field at number[] seconds
---@field value number[]

---@class gridcentric.Score
---@field clone_s number seconds, of all clones together
---@field under_s number seconds with fewer clones serving than needed
---@field most integer clones at a time
---@field load gridcentric.Steps
---@field clones gridcentric.Steps
---@field from number when it began; seconds
---@field to number as far as it has come
local Score = { __name = "gridcentric.replay.score" }
Score.__index = Score

local function new_steps(start) return { at = { start }, value = { 0 } } end

---@param start number
---@return gridcentric.Score
function score.new(start)
	return setmetatable({
		clone_s = 0, under_s = 0, most = 0,
		load = new_steps(start), clones = new_steps(start),
		from = start, to = start,
		last_load = 0, last_clones = 0, is_under = false,
	}, Score)
end

-- What holds for no time is no step.
local function add(steps, now, value)
	local n = #steps.at
	if steps.at[n] ~= now then n = n + 1 end
	steps.at[n], steps.value[n] = now, value
end

---@param now number seconds, never going back
---@param load integer
---@param clones integer that exist
---@param serving integer clones
---@param needed integer clones
function Score:see(now, load, clones, serving, needed)
	local span = now - self.to
	if span > 0 then
		self.clone_s = self.clone_s + self.last_clones * span
		if self.is_under then self.under_s = self.under_s + span end
		self.to = now
	end
	if load ~= self.last_load then add(self.load, now, load) end
	if clones ~= self.last_clones then
		add(self.clones, now, clones)
		if clones > self.most then self.most = clones end
	end
	self.last_load, self.last_clones, self.is_under = load, clones, serving < needed
end

return score
