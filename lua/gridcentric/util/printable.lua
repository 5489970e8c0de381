-- Texts of programs, policies and virtual machines, made safe to show and to store: valid UTF-8, of
-- a bounded length, without anything that commands a terminal. Pure.

local printable = {}

local MAX = 4096 -- bytes that are kept of a text, unless told
local REPLACEMENT = "\u{FFFD}"

---Removes the control characters that are two bytes in UTF-8 (C1: U+0080 to U+009F), and what would
---become one together with the bytes that come next.
---@param text string
---@param blank? string what replaces them; none: nothing
---@return string
function printable.without_c1(text, blank)
	-- the rest of a run goes as well: "\xC2\xC2\x9B\x9B" without its middle would be one again
	return (text:gsub("\xC2+", "\xC2"):gsub("\xC2%f[^\xC2\xA0-\xBF][\x80-\x9F]*", blank or ""))
end

---Replaces bytes that are no UTF-8.
---@param text string
---@return string
function printable.valid(text)
	if utf8.len(text) then return text end
	local pieces, from = {}, 1
	while true do
		local _, bad = utf8.len(text, from)
		if not bad then break end
		pieces[#pieces + 1] = text:sub(from, bad - 1)
		pieces[#pieces + 1] = REPLACEMENT
		from = bad + 1
		if from > #text then break end
	end
	pieces[#pieces + 1] = text:sub(from)
	return table.concat(pieces)
end

---Cuts a text between characters.
---@param text string
---@param max? integer bytes that are kept
---@return string # ends with "..." if anything was cut
function printable.cut(text, max)
	max = max or MAX
	if #text <= max then return text end
	local last = max - 3
	while last > max - 7 and text:byte(last + 1) & 0xC0 == 0x80 do last = last - 1 end
	return text:sub(1, last) .. "..."
end

local function clean(text, max, controls)
	text = printable.cut(text, max)
	return printable.valid((printable.without_c1(text, "\0"):gsub(controls, " ")))
end

---One line; a blank replaces each run of control characters.
---@param text string
---@param max? integer bytes
---@return string
function printable.line(text, max)
	return clean(text, max, "%c+")
end

---The same, but line ends and tabs stay.
---@param text string
---@param max? integer bytes
---@return string
function printable.lines(text, max)
	return clean(text, max, "[^%C\n\t]+")
end

return printable
