-- The shared libraries that programs need, by ldd.

local failure = require "gridcentric.image.failure"

local libraries = {}

---@param path string
---@return boolean # whether it is a program or a library, of whatever machine
function libraries.is_elf(path)
	local file = io.open(path, "rb")
	if not file then return false end
	local magic = file:read(4)
	file:close()
	return magic == "\127ELF"
end

---Parses the output of ldd. Raises if a library was not found.
---@param text string
---@return table<string, string> # the name by which it is asked for -> path
function libraries.parse(text)
	local found, who = {}, nil
	for line in text:gmatch "[^\n]+" do
		local name, path = line:match "^%s+(%S+) => (.+)$"
		if name and path:find "^not found" then
			failure.raise("the library %s is not found%s", name, who and ", which needs " .. who or "")
		elseif name then
			found[name] = path:gsub(" %(0x%x+%)$", "")
		elseif line:find "^%S.*:$" then
			who = line:sub(1, -2)
		else
			local loader = line:match "^%s+(/%S+) %(0x%x+%)$" -- which is asked for by its path
			if loader then found[loader] = loader end
		end
	end
	return found
end

---The libraries that some files need, directly or indirectly. Raises.
---@param job gridcentric.ImageJob
---@param paths string[] those that are no programs for this machine need nothing
---@return table<string, string> # as of parse()
function libraries.of(job, paths)
	if #paths == 0 then return {} end
	-- 1: one of them is linked statically, or is of another machine
	return libraries.parse(job:run { "ldd", "--", max_status = 1, table.unpack(paths) })
end

return libraries
