-- The kernel modules that a guest needs, in loading order.
--
-- A package that is not installed has no modules.dep, so dependencies are read from the modules
-- themselves.

local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"

local modules = {}

-- Modules that a guest must have, unless they are built in.
modules.GUEST = { "virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "tcp_diag" }
modules.OPTIONAL = {
	"virtio_rng", -- speeds up the gathering of entropy
	"pvpanic_mmio", -- tells the engine of a kernel panic
}
modules.DISK = { "virtio_pci", "virtio_blk", "ext4" } -- to find and mount the disk

local UNPACK = { xz = "xz", gz = "gzip", zst = "zstd" }

-- The module's name, by its file: virtio-rng.ko.xz holds virtio_rng.
local function name_of(path)
	local name = path:match "([^/]+)%.ko$" or path:match "([^/]+)%.ko%.%w+$"
	return name and (name:gsub("-", "_"))
end

-- Returns name -> path below the folder, and the set of names that are built in.
local function read_index(folder)
	local paths, built_in = {}, {}
	files.walk(folder, function(path, kind)
		local name = kind == "file" and name_of(path)
		if name then paths[name] = path end
		return path ~= "build" and path ~= "source" -- links to a kernel's sources
	end)
	if files.is_file(folder .. "/modules.builtin") then
		for line in files.read(folder .. "/modules.builtin"):gmatch "[^\n]+" do
			local name = name_of(line)
			if name then built_in[name] = true end
		end
	end
	return paths, built_in
end

-- Unpacks a module into the root folder. Returns its path below the root.
local function copy(job, from, root, target)
	local packed = from:match "%.ko%.(%w+)$"
	if not packed then
		files.copy(from, root .. target, tonumber("644", 8))
		return target
	end
	local tool = UNPACK[packed] or failure.raise("%s: packed in an unknown way", from)
	target = target:gsub("%.%w+$", "")
	files.make_folder((root .. target):match "^(.*)/")
	files.write(root .. target, job:run { tool, "-dc", from })
	return target
end

local function needs_of(path)
	local names = files.read(path):match "%f[%w]depends=([%w_,-]*)\0"
	return (names or ""):gsub("-", "_")
end

---Copies modules and those that they need into a root folder, as /lib/modules/VERSION/... Raises.
---@param job gridcentric.ImageJob
---@param kernel gridcentric.ImageKernel
---@param root string
---@param wanted string[] names
---@param optional? string[] names: left out where the kernel has none
---@return string # a line for each, in order: its name and path
function modules.install(job, kernel, root, wanted, optional)
	local paths, built_in = {}, {}
	if kernel.modules then paths, built_in = read_index(kernel.modules) end
	local lines, done = {}, {}
	local function add(name, is_optional)
		if done[name] or built_in[name] then return end
		done[name] = true
		if not paths[name] then
			if is_optional then return end
			failure.raise("the kernel %s has no %s%s", kernel.version, name,
				kernel.modules and "" or ", and its modules are not found")
		end
		local target = copy(job, kernel.modules .. "/" .. paths[name], root,
			"/lib/modules/" .. kernel.version .. "/" .. paths[name])
		for needed in needs_of(root .. target):gmatch "[^,]+" do add(needed) end
		lines[#lines + 1] = name .. " " .. target .. "\n"
	end
	for _, name in ipairs(wanted) do add(name) end
	for _, name in ipairs(optional or {}) do add(name, true) end
	return table.concat(lines)
end

return modules
