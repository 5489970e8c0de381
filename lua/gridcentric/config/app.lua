-- What a policy clones, by its backend: a script that runs as a process, or an image that runs as
-- a virtual machine.

local app = {}

-- The keys that only one backend has, and what to say of them to the other.
local SCRIPT = 'the program is in the image with backend = "qemu"'
local IMAGE = 'only with backend = "qemu"'
local OWN = {
	fork = { script = SCRIPT, args = SCRIPT },
	qemu = { image = IMAGE, memory = IMAGE, cpus = IMAGE, accel = IMAGE, network = IMAGE,
		spare = IMAGE },
}
local OTHER = { fork = "qemu", qemu = "fork" }

local REQUIRED = { fork = { "script" }, qemu = { "image", "port" } }

local START_TIMEOUT = { fork = 10, qemu = 60 } -- seconds; emulated machines boot for some

local FILE = { fork = "script", qemu = "image" } -- the key that names it

-- A key of the other backend that was given, and what is to be said of that; always the same one
-- of several.
local function find_misplaced(given, not_ours)
	local found
	for key in pairs(not_ours) do
		if given[key] ~= nil and (not found or key < found) then found = key end
	end
	return found, not_ours[found]
end

---Checks what types cannot see, and leaves what belongs to the backend.
---@param backend "fork"|"qemu"
---@param checked table with defaults
---@param given table a plain copy of what the file says
---@return gridcentric.App?
---@return string? err
function app.check(backend, checked, given)
	local not_ours = OWN[OTHER[backend]]
	local key, why = find_misplaced(given, not_ours)
	if key then return nil, ("app: %s: %s"):format(key, why) end
	for _, required in ipairs(REQUIRED[backend]) do
		if checked[required] == nil then return nil, ("app: %s: missing"):format(required) end
	end
	local ours = { start_timeout = START_TIMEOUT[backend] }
	for name, value in pairs(checked) do
		if not not_ours[name] then ours[name] = value end
	end
	return ours
end

---The key that names the file that is run: "script" or "image".
---@param backend "fork"|"qemu"
---@return "script"|"image"
function app.file_key(backend)
	return FILE[backend]
end

---The name of what is cloned, without folders: "chat.img".
---@param p gridcentric.Policy
---@return string
function app.name(p)
	return (p.app[FILE[p.backend]]:match "[^/]*$")
end

return app
