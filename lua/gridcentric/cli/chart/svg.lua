-- The chart of a replay as an SVG file: users above, the clones of each policy below, and what each
-- policy cost. The file refers to no other, and follows the reader's preference for light or dark.

local axis = require "gridcentric.cli.chart.axis"
local steps = require "gridcentric.cli.chart.steps"

local svg = {}

-- Pixels.
local WIDTH, LEFT, RIGHT = 1040, 64, 24
local PLOT = WIDTH - LEFT - RIGHT
local TOP, LOAD_HEIGHT, GAP, CLONES_HEIGHT = 106, 150, 56, 190
local AXIS_HEIGHT, ROW = 44, 22
local NAMES = 170 -- of the table

-- Dashes of up to four policies, by which also readers who do not see colours tell them apart.
-- Further policies start over.
local DASHES = { "", "7 3", "2 3", "10 3 2 3" }

local STYLE = [[
svg { --paper: #ffffff; --ink: #1c2430; --soft: #5b6675; --grid: #e4e8ee; --load: #8794a8;
  --p1: #1f6fd0; --p2: #c9500f; --p3: #0d7f5a; --p4: #7a4fc9; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #14181f; --ink: #e8ecf2; --soft: #9aa5b5; --grid: #2a313c; --load: #6f7d93;
    --p1: #6aaeff; --p2: #ff9a5c; --p3: #45c796; --p4: #b79bff; }
}
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--soft); }
.title { font-size: 20px; font-weight: 600; fill: var(--ink); }
.head { font-weight: 600; fill: var(--ink); }
.number { font-variant-numeric: tabular-nums; text-anchor: end; }
.value { fill: var(--ink); }
.middle { text-anchor: middle; }
.grid { stroke: var(--grid); stroke-width: 1; shape-rendering: crispEdges; }
.area { fill: var(--load); fill-opacity: 0.3; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
]]

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

local function escape(text)
	return (text:gsub("[&<>\"]", ESCAPES):gsub("%c", " "))
end

local function text(x, y, class, content)
	return ('<text x="%.1f" y="%.1f" class="%s">%s</text>'):format(x, y, class, escape(content))
end

local function rule(x1, y1, x2, y2)
	return ('<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>'):format(x1, y1, x2, y2)
end

-- How the line of the i-th policy looks.
local function look(i)
	i = (i - 1) % #DASHES + 1
	return ('class="line" stroke="var(--p%d)" stroke-dasharray="%s"'):format(i, DASHES[i])
end

-- Paths ------------------------------------------------------------------------------------------

---@class gridcentric.SvgPanel
---@field top number
---@field height number
---@field most number the value at its top

local function y_of(panel, value)
	return panel.top + panel.height * (1 - value / panel.most)
end

-- A line of steps, a pixel a column; where a column has more than one value, it goes from the least
-- to the most of them.
local function step_path(panel, s, chart)
	local columns = steps.columns(s, chart.from, chart.to, PLOT)
	local parts, at = { ("M%d %.1f"):format(LEFT, y_of(panel, columns.low[1])) }, columns.low[1]
	for i = 1, PLOT do
		local low, high = columns.low[i], columns.high[i]
		if low ~= at or high ~= at then
			parts[#parts + 1] = ("H%d"):format(LEFT + i - 1)
			if low ~= high then
				parts[#parts + 1] = ("V%.1fV%.1f"):format(y_of(panel, low), y_of(panel, high))
			end
			at = columns.high[i]
			parts[#parts + 1] = ("V%.1f"):format(y_of(panel, at))
		end
	end
	parts[#parts + 1] = ("H%d"):format(LEFT + PLOT)
	return table.concat(parts)
end

-- Panels -----------------------------------------------------------------------------------------

local function new_panel(top, height, most, marks)
	local step = axis.count_step(math.max(most, 1), marks)
	return { top = top, height = height, step = step,
		most = math.ceil(math.max(most, 1) / step) * step }
end

local function frame(panel, title, out)
	out[#out + 1] = text(LEFT, panel.top - 12, "head", title)
	for value = 0, panel.most, panel.step do
		local y = y_of(panel, value)
		out[#out + 1] = rule(LEFT, y, LEFT + PLOT, y)
		out[#out + 1] = text(LEFT - 10, y + 4, "number", ("%d"):format(value))
	end
end

local function draw_times(panel, chart, out)
	local bottom = panel.top + panel.height
	for _, mark in ipairs(axis.times(chart.from, chart.to, 10)) do
		local x = LEFT + (mark.at - chart.from) / (chart.to - chart.from) * PLOT
		out[#out + 1] = rule(x, bottom, x, bottom + 5)
		out[#out + 1] = text(x, bottom + 20, "middle", mark.text)
	end
end

local function draw_load(panel, chart, out)
	frame(panel, chart.load_title, out)
	local path = step_path(panel, chart.load, chart)
	local bottom = panel.top + panel.height
	out[#out + 1] = ('<path class="area" d="%sV%.1fH%dZ"/>'):format(path, bottom, LEFT)
	out[#out + 1] = ('<path class="line" stroke="var(--load)" d="%s"/>'):format(path)
end

local function draw_clones(panel, chart, out)
	frame(panel, "Clones", out)
	for i, series in ipairs(chart.series) do
		out[#out + 1] = ('<path %s d="%s"><title>%s</title></path>'):format(
			look(i), step_path(panel, series.steps, chart), escape(series.name))
	end
end

-- The legend, with the numbers of each policy.
local function draw_table(top, chart, out)
	local width = (PLOT - NAMES) / #chart.titles
	for i, title in ipairs(chart.titles) do
		out[#out + 1] = text(LEFT + NAMES + i * width, top, "number", title)
	end
	for row, series in ipairs(chart.series) do
		local y = top + row * ROW + 4
		out[#out + 1] = ('<line %s x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>'):format(
			look(row), LEFT, y - 4, LEFT + 28, y - 4)
		out[#out + 1] = text(LEFT + 38, y, "value", series.name)
		for i, value in ipairs(series.values) do
			out[#out + 1] = text(LEFT + NAMES + i * width, y, "number value", value)
		end
	end
end

-- The whole --------------------------------------------------------------------------------------

---@class gridcentric.SvgSeries
---@field name string
---@field steps gridcentric.Steps
---@field values string[] for the table

---@class gridcentric.SvgChart
---@field title string
---@field subtitle string
---@field from number seconds
---@field to number
---@field load gridcentric.Steps
---@field load_title string
---@field series gridcentric.SvgSeries[]
---@field titles string[] of the table's columns

---@param chart gridcentric.SvgChart
---@return string
function svg.render(chart)
	local most = 0
	for _, series in ipairs(chart.series) do most = math.max(most, steps.most(series.steps)) end
	local load = new_panel(TOP, LOAD_HEIGHT, steps.most(chart.load), 4)
	local clones = new_panel(TOP + LOAD_HEIGHT + GAP, CLONES_HEIGHT, most, 5)
	local table_top = clones.top + clones.height + AXIS_HEIGHT + 20
	local height = table_top + #chart.series * ROW + 28
	local out = {
		('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">')
			:format(WIDTH, height, WIDTH, height),
		("<title>%s</title>"):format(escape(chart.title)),
		"<style>" .. STYLE .. "</style>",
		'<rect width="100%" height="100%" fill="var(--paper)"/>',
		text(LEFT, 36, "title", chart.title),
		text(LEFT, 58, "", chart.subtitle),
	}
	draw_load(load, chart, out)
	draw_clones(clones, chart, out)
	draw_times(clones, chart, out)
	draw_table(table_top, chart, out)
	out[#out + 1] = "</svg>\n"
	return table.concat(out, "\n")
end

return svg
