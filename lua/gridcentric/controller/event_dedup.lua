-- Whether something that may happen over and over is worth telling.
--
--	if news:is_new(now, "metric cpu is missing") then ... end
--
-- It is when it has not happened for a while. Texts that differ in numbers alone are the same.
-- Pure: the time (seconds) is an argument.

local news = {}

local QUIET_S = 60

---@class gridcentric.News
---@field last table<string, number> when what has happened last
local News = { __name = "gridcentric.news" }
News.__index = News

---@return gridcentric.News
function news.new()
	return setmetatable({ last = {} }, News)
end

local function forget_old(self, now)
	for what, last in pairs(self.last) do
		if now - last >= QUIET_S then self.last[what] = nil end
	end
end

---Something has happened.
---@param now number
---@param text string
---@return boolean
function News:is_new(now, text)
	local what = text:gsub("%d+", "#")
	local last = self.last[what]
	if not last then forget_old(self, now) end
	self.last[what] = now
	return not last or now - last >= QUIET_S
end

return news
