-- A chart for a terminal: panels above each other with one time axis, drawn with block characters
-- or plain ASCII.

local axis = require "gridcentric.cli.chart.axis"
local steps = require "gridcentric.cli.chart.steps"

local text = {}

local HEIGHT = 6 -- lines of a panel
local BLOCKS = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local ASCII = { " ", ".", ":", "#" }

---@class gridcentric.TextPanel
---@field title string
---@field steps gridcentric.Steps
---@field most number the value at its top

---@class gridcentric.TextChart
---@field panels gridcentric.TextPanel[]
---@field from number seconds
---@field to number
---@field width integer columns
---@field is_unicode boolean

-- The character for a cell. A value above 0 always shows.
local function cell(value, most, row, shades)
	local per_row = #shades - 1
	local level = value / most * HEIGHT * per_row
	if value > 0 then level = math.max(level, 1) end
	level = math.floor(level + 0.5) - (row - 1) * per_row
	return shades[math.max(math.min(level, per_row), 0) + 1]
end

local function plot(panel, chart, width, margin)
	local shades = chart.is_unicode and BLOCKS or ASCII
	local most = math.max(panel.most, 1)
	local values = steps.columns(panel.steps, chart.from, chart.to, width).high
	local lines = {}
	for row = HEIGHT, 1, -1 do
		local label = row == HEIGHT and ("%g"):format(most) or row == 1 and "0" or ""
		local cells = { (" "):rep(margin - #label - 1) .. label .. " " }
		for i = 1, width do cells[i + 1] = cell(values[i], most, row, shades) end
		lines[#lines + 1] = table.concat(cells):gsub(" +$", "")
	end
	return lines
end

-- The marks under the panels, without those that would run into the one before.
local function time_line(chart, width, margin)
	local line = (" "):rep(margin)
	for _, mark in ipairs(axis.times(chart.from, chart.to, width // 10)) do
		local place = margin + math.floor((mark.at - chart.from) / (chart.to - chart.from) * width)
		local fits = place + #mark.text <= margin + width
		if fits and (place > #line or #line == margin) then
			line = line .. (" "):rep(place - #line) .. mark.text
		end
	end
	return line
end

---@param chart gridcentric.TextChart
---@return string[] lines
function text.lines(chart)
	local margin = 2
	for _, panel in ipairs(chart.panels) do
		margin = math.max(margin, #("%g"):format(panel.most) + 1)
	end
	local width = math.max(chart.width - margin, 10)
	local lines = {}
	for _, panel in ipairs(chart.panels) do
		lines[#lines + 1] = panel.title
		for _, line in ipairs(plot(panel, chart, width, margin)) do lines[#lines + 1] = line end
	end
	lines[#lines + 1] = time_line(chart, width, margin)
	return lines
end

return text
