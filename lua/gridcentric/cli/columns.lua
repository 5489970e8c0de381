-- Rows as aligned columns.

local columns = {}

---@class gridcentric.Column
---@field title string
---@field right? boolean aligned to the right, as numbers are

local function widths(titles, rows)
	local width = {}
	for i, column in ipairs(titles) do
		width[i] = utf8.len(column.title)
		for _, row in ipairs(rows) do
			width[i] = math.max(width[i], utf8.len(row[i]) or #row[i])
		end
	end
	return width
end

local function pad(text, width, right)
	local blanks = (" "):rep(width - (utf8.len(text) or #text))
	return right and blanks .. text or text .. blanks
end

-- Cut to a width, between characters.
local function cut(line, width)
	local len = utf8.len(line)
	if not width or not len or len <= width then return line end
	return line:sub(1, utf8.offset(line, width) - 1) .. "…"
end

---Lays rows out under their titles. An empty cell is shown as "-".
---@param titles gridcentric.Column[]
---@param rows string[][]
---@param width integer? of the terminal: longer lines are cut
---@return string[] lines
function columns.lay_out(titles, rows, width)
	local head = {}
	for i, column in ipairs(titles) do head[i] = column.title end
	local wide = widths(titles, rows)
	local lines = {}
	local function add(row)
		local cells = {}
		for i, column in ipairs(titles) do
			cells[i] = pad(row[i] == "" and "-" or row[i], wide[i], column.right)
		end
		lines[#lines + 1] = cut(table.concat(cells, "  "):gsub("%s+$", ""), width)
	end
	add(head)
	for _, row in ipairs(rows) do add(row) end
	return lines
end

return columns
