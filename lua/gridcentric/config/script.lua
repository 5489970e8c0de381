-- Whether a file can be the program of backend "fork": a Lua script. It is compiled, but not run.

local script = {}

local REMEDY = 'only Lua programs on luv can be cloned as processes; others need backend = "qemu"'

-- The interpreter of "#!/usr/bin/env -S python3 -u"; nil for a file that names none.
local function interpreter(first_line)
	local words = first_line:match "^#!%s*(.*)$"
	for word in (words or ""):gmatch "%S+" do
		local name = word:match "[^/]*$"
		if name ~= "env" and name:sub(1, 1) ~= "-" then return name end
	end
end

local function foreign_kind(first_bytes)
	if first_bytes:sub(1, 4) == "\127ELF" then return "a compiled program" end
	local name = interpreter(first_bytes:match "^[^\n]*")
	if name and not name:find "^lua" then return "a script for " .. name end
end

---@param path string of a file that can be read
---@return boolean? ok
---@return string? err
function script.check(path)
	local file = assert(io.open(path, "rb"))
	local kind = foreign_kind(file:read(256) or "")
	file:close()
	local name = path:match "[^/]*$"
	if kind then return nil, ("%s is %s: %s"):format(name, kind, REMEDY) end
	local chunk, err = loadfile(path)
	if chunk then return true end
	return nil, ("%s is not a Lua program: %s (%s)"):format(name, err, REMEDY)
end

return script
