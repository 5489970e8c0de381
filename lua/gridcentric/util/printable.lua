-- Texts of users, programs and virtual machines, made fit for a terminal and for JSON. Pure.

local printable = {}

---Text in UTF-8: each byte that is none becomes U+FFFD.
---@param text string
---@return string
function printable.valid(text)
	local parts, at = {}, 1
	while at <= #text do
		local len, bad = utf8.len(text, at)
		if len then bad = #text + 1 end
		parts[#parts + 1] = text:sub(at, bad - 1)
		if not len then parts[#parts + 1] = "\u{FFFD}" end
		at = bad + 1
	end
	return table.concat(parts)
end

---Takes out the control characters that are two bytes in UTF-8 (C1: U+0080 to U+009F), and what
---would become one with the bytes that come next.
---@param text string
---@param blank? string what stands in their place; none: nothing
---@return string
function printable.without_c1(text, blank)
	-- the rest of a run goes, too: "\xC2\xC2\x9B\x9B" without its middle would be one again
	return (text:gsub("\xC2+", "\xC2"):gsub("\xC2%f[^\xC2\xA0-\xBF][\x80-\x9F]*", blank or ""))
end

---One line in UTF-8 without control characters; a blank stands for as many as there are in a row.
---@param text string
---@return string
function printable.line(text)
	return (printable.valid(printable.without_c1(text, "\0")):gsub("%c+", " "))
end

return printable
