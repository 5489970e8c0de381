-- A name for a service, made of that of its file: letters, digits, dots, - and _, a letter or digit
-- first.

---@param text string
---@return string
return function(text)
	local name = text:gsub("[^%w._-]", "-"):gsub("^[^%w]+", "")
	return name ~= "" and name or "service"
end
