-- "Did you mean ...?": the known word that somebody most likely meant. Pure.
--
-- A word is suggested if it is spelled nearly like the one given, or if that is a synonym of it. A
-- far-fetched suggestion misleads, so often there is none.

local suggest = {}

local LONGEST = 60 -- bytes; nobody misspells more, and comparing takes the square of it

---Counts the characters to insert, delete, replace or swap with the next to turn one text into the
---other.
---@param a string
---@param b string
---@return integer
function suggest.distance(a, b)
	local rows = { [0] = {} } -- rows[i][j]: distance of the first i characters of a to j of b
	for j = 0, #b do rows[0][j] = j end
	for i = 1, #a do
		local row, above = { [0] = i }, rows[i - 1]
		rows[i] = row
		for j = 1, #b do
			local differ = a:byte(i) ~= b:byte(j)
			row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (differ and 1 or 0))
			local swapped = i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j)
			if swapped then row[j] = math.min(row[j], rows[i - 2][j - 2] + 1) end
		end
	end
	return rows[#a][#b]
end

-- Two letters may be wrong, and of short words one.
local function limit(word)
	return #word < 5 and 1 or 2
end

-- One is the beginning of the other, which then needs no more than to be completed.
local function is_start(a, b)
	local short, long = a, b
	if #short > #long then short, long = long, short end
	return #short >= 3 and long:sub(1, #short) == short
end

local function cost(word, candidate)
	if word:lower() == candidate:lower() then return 0 end
	local distance = suggest.distance(word, candidate)
	if distance <= limit(word) then return distance end
	return is_start(word, candidate) and limit(word) + 1 or nil
end

---@param known table<string, any> the words are its keys
---@param word string
---@param synonyms? table<string, string> other words for those that are known
---@return string? # nil if no word is near
function suggest.nearest(known, word, synonyms)
	if #word > LONGEST then return nil end
	local synonym = synonyms and synonyms[word:lower()]
	if synonym and known[synonym] ~= nil then return synonym end
	local nearest, least
	for candidate in pairs(known) do
		local distance = cost(word, candidate)
		local is_nearer = distance and (not least or distance < least
			or distance == least and candidate < nearest)
		if is_nearer then nearest, least = candidate, distance end
	end
	return nearest
end

---@param known table<string, any>
---@param word string
---@param synonyms? table<string, string>
---@return string # ' (did you mean "port"?)', or nothing
function suggest.hint(known, word, synonyms)
	local nearest = suggest.nearest(known, word, synonyms)
	return nearest and (' (did you mean "%s"?)'):format(nearest) or ""
end

return suggest
