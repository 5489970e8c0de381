-- The key `app`: depending on the backend, a script that runs as a process, or an image that runs
-- as a virtual machine.

local app = {}

-- The keys of one backend only, and the message where the policy has the other one.
local SCRIPT = 'the program is in the image with backend = "qemu"'
local IMAGE = 'only with backend = "qemu"'
local OWN = {
	fork = { script = SCRIPT, args = SCRIPT },
	qemu = { image = IMAGE, memory = IMAGE, cpus = IMAGE, accel = IMAGE, network = IMAGE,
		spare = IMAGE },
}
local OTHER = { fork = "qemu", qemu = "fork" }

local REQUIRED = { fork = { "script" }, qemu = { "image", "port" } }

local START_TIMEOUT_S = { fork = 10, qemu = 60 } -- an emulated machine takes long to boot

local FILE_KEY = { fork = "script", qemu = "image" }

-- A key of the other backend that was given, and the message; always the same one of several.
local function find_misplaced(given, not_ours)
	local found
	for key in pairs(not_ours) do
		if given[key] ~= nil and (not found or key < found) then found = key end
	end
	return found, not_ours[found]
end

---Checks what no single type can see, and keeps only the keys of this backend.
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
	local ours = { start_timeout = START_TIMEOUT_S[backend] }
	for name, value in pairs(checked) do
		if not not_ours[name] then ours[name] = value end
	end
	return ours
end

---The key that names the file to run: "script" or "image".
---@param backend "fork"|"qemu"
---@return "script"|"image"
function app.file_key(backend)
	return FILE_KEY[backend]
end

---The name of what is cloned, without folders: "chat.img".
---@param p gridcentric.Policy
---@return string
function app.name(p)
	return (p.app[FILE_KEY[p.backend]]:match "[^/]*$")
end

return app
