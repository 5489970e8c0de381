-- Texts of programs and virtual machines, without what commands a terminal. Pure.

local printable = {}

---Takes out the control characters that are two bytes in UTF-8 (C1: U+0080 to U+009F), and what
---would become one with the bytes that come next.
---@param text string
---@param blank? string what stands in their place; none: nothing
---@return string
function printable.without_c1(text, blank)
	-- the rest of a run goes, too: "\xC2\xC2\x9B\x9B" without its middle would be one again
	return (text:gsub("\xC2+", "\xC2"):gsub("\xC2%f[^\xC2\xA0-\xBF][\x80-\x9F]*", blank or ""))
end

---One line without control characters; a blank stands for as many as there are in a row.
---@param text string
---@return string
function printable.line(text)
	return (printable.without_c1(text, "\0"):gsub("%c+", " "))
end

return printable
