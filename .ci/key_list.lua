-- Lists of keys in mdoc(7), made from their descriptions, and the places for them in pages of the
-- manual, which are lines such as
--
--	.\" generated: keys of Listening
--	.\" end of generated
--
-- Pure.

local mdoc = require "mdoc"

local key_list = {}

local function default_of(key)
	if key.required then return "required" end
	if key.unset then return key.unset end
	return type(key.default) == "table" and "{}" or tostring(key.default)
end

---Adds lines to lines.
---@param lines string[]
---@param more string[]
function key_list.append(lines, more)
	table.move(more, 1, #more, #lines + 1, lines)
end

-- ".It Ic held.max No = whole number from 0 (1000)", and its text.
local function add_item(lines, name, key)
	lines[#lines + 1] = (".It Ic %s No = %s (%s)"):format(name, mdoc.words(key[2].manual),
		mdoc.words(default_of(key)))
	key_list.append(lines, mdoc.lines(key.text))
	if key.more then key_list.append(lines, mdoc.lines(key.more)) end
	if key.see then key_list.append(lines, { "See", (".Sx %s ."):format(key.see) }) end
end

local function add_keys(lines, keys, prefix)
	for _, key in ipairs(keys) do
		local name, inner = prefix .. key[1], key[2].schema
		if inner then add_keys(lines, inner, name .. ".") else add_item(lines, name, key) end
	end
end

---The lines of a list of keys; those of tables in it under their full names.
---@param keys gridcentric.Key[]
---@return string[]
function key_list.lines(keys)
	local lines = { ".Bl -tag -width Ds" }
	add_keys(lines, keys, "")
	lines[#lines + 1] = ".El"
	return lines
end

local WIDTH = 78

---The names of keys, as lines of mdoc.
---@param keys gridcentric.Key[]
---@return string[]
function key_list.names(keys)
	local lines, line = {}, ".Ic"
	for i, key in ipairs(keys) do
		local name = key[1] .. (i < #keys and " ," or "")
		if #line + 1 + #name > WIDTH then
			lines[#lines + 1] = line
			line = ".Ic"
		end
		line = line .. " " .. name
	end
	lines[#lines + 1] = line
	return lines
end

local PART = '(\n%.\\" generated: ([^\n]+)\n).-(%.\\" end of generated\n)'

---The page with its generated parts as they should be.
---@param page string
---@param file string its name, for errors
---@param parts table<string, fun(): string[]> the lines of each part
---@return string
function key_list.fill(page, file, parts)
	local seen = {}
	page = page:gsub(PART, function(head, name, tail)
		local make = parts[name] or error(("%s has an unknown part: %s"):format(file, name), 0)
		seen[name] = true
		return head .. table.concat(make(), "\n") .. "\n" .. tail
	end)
	for name, make in pairs(parts) do
		local is_empty = #make() == 2 -- a list without items
		if not seen[name] and not is_empty then error(("%s lacks a part: %s"):format(file, name), 0) end
	end
	return page
end

return key_list
