-- Makes a service's name from the name of its file: letters, digits, dots, - and _, beginning with
-- a letter or digit.

---@param text string
---@return string
return function(text)
	local name = text:gsub("[^%w._-]", "-"):gsub("^[^%w]+", "")
	return name ~= "" and name or "service"
end
