-- Writes text as mdoc(7), the language of the manual's pages.

local mdoc = {}

-- Escapes what a word of a macro's line may not have.
local function word(text)
	text = text:gsub("\\", "\\e"):gsub('"', "\\(dq")
	return text:find "^%u%l%l?$" and "\\&" .. text or text
end

---The words of a text, to be arguments of a macro.
---@param text string
---@return string
function mdoc.words(text)
	return (text:gsub("%S+", word))
end

local WIDTH = 78

-- Breaks a line before it gets too long.
local function wrap(lines, text)
	local line = ""
	for part in text:gmatch "%S+" do
		if line ~= "" and #line + 1 + #part > WIDTH then
			lines[#lines + 1] = line
			line = ""
		end
		line = line == "" and part:gsub("^[.']", "\\&%0") or line .. " " .. part
	end
	if line ~= "" then lines[#lines + 1] = line end
end

-- Adds plain text, each sentence on lines of its own.
local function add_plain(lines, text)
	text = text:gsub("\\", "\\e"):gsub("([.:]) +(%u)", "%1\n%2")
	for sentence in text:gmatch "[^\n]+" do wrap(lines, sentence) end
end

-- Adds code, with what encloses it and follows.
local function add_code(lines, before, code, behind)
	local macro = ".Li"
	if before:find "%($" and behind:find "^%)" then
		before, behind, macro = before:sub(1, -2), behind:sub(2), ".Pq Li"
	end
	add_plain(lines, before)
	lines[#lines + 1] = ("%s %s%s"):format(macro, mdoc.words(code), behind:gsub(".", " %0"))
end

---Text in which `words in backquotes` are code, as lines of mdoc.
---@param text string
---@return string[]
function mdoc.lines(text)
	local lines, at = {}, 1
	for before, code, behind, after in text:gmatch "([^`]*)`([^`]*)`(%p*)()" do
		if behind:find "[`(]" then behind, after = "", after - #behind end
		add_code(lines, before, code, behind)
		at = after
	end
	add_plain(lines, text:sub(at))
	return lines
end

return mdoc
