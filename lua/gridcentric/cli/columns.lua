-- Rows as aligned columns, and texts in narrow terminals.

local columns = {}

---@class gridcentric.Column
---@field title string
---@field right? boolean aligned to the right, as numbers are

local function length(text)
	return utf8.len(text) or #text
end

local function widths(titles, rows)
	local width = {}
	for i, column in ipairs(titles) do
		width[i] = length(column.title)
		for _, row in ipairs(rows) do width[i] = math.max(width[i], length(row[i])) end
	end
	return width
end

local function pad(text, width, right)
	local blanks = (" "):rep(width - length(text))
	return right and blanks .. text or text .. blanks
end

-- Cut to a width, between characters.
local function cut(line, width)
	local len = utf8.len(line)
	if not width or not len or len <= width then return line end
	return line:sub(1, utf8.offset(line, math.max(width, 1)) - 1) .. "…"
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

-- The first characters of a word, and the rest.
local function split(word, n)
	local rest = utf8.offset(word, n + 1) or n + 1
	return word:sub(1, rest - 1), word:sub(rest)
end

---Breaks a text into lines at blanks; words that are too long are broken anywhere.
---@param text string valid UTF-8, one line
---@param width integer
---@param indent? string before each line; not counted
---@return string[] lines
function columns.wrap(text, width, indent)
	local lines, line = {}, ""
	local function flush()
		if line ~= "" then lines[#lines + 1] = (indent or "") .. line end
		line = ""
	end
	for word in text:gmatch "%S+" do
		if line ~= "" and length(line) + 1 + length(word) > width then flush() end
		while length(word) > width do
			line, word = split(word, width)
			flush()
		end
		line = line == "" and word or line .. " " .. word
	end
	flush()
	return lines
end

return columns
