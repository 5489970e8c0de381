-- A disk that boots by itself under a BIOS: syslinux, kernel and a small initrd on a FAT partition,
-- the guest's files on an ext4 partition. It is made without root, since nothing is mounted.

local failure = require "gridcentric.image.failure"
local files = require "gridcentric.image.files"
local rootfs = require "gridcentric.image.guest.rootfs"
local tools = require "gridcentric.image.tools"
local uv = require "luv"

local disk = {}

local MIB = 1024 * 1024
local SECTOR = 512
local START_MIB = 1 -- of the first partition, as usual; before it is the boot code
local BOOT_CODE = 440 -- bytes of the first sector; behind them is the partition table
local FAT_SPARE_MIB = 4 -- syslinux itself, and the tables; FAT16 needs 4085 clusters at least
local EXT4_SPARE = 1.25 -- its tables and journal
local EXT4_SPARE_MIB = 24
local MBR = {
	"/usr/lib/syslinux/mbr/mbr.bin", "/usr/lib/SYSLINUX/mbr.bin", "/usr/share/syslinux/mbr.bin",
}

disk.TOOLS = { "mke2fs", "sfdisk", "mformat", "mcopy", "syslinux", "qemu-img" }

local function mib(bytes)
	return math.ceil(bytes / MIB)
end

-- Where the partitions lie, in MiB.
local function lay_out(size, kernel, initrd, root)
	local boot = mib(uv.fs_stat(kernel).size + uv.fs_stat(initrd).size) + FAT_SPARE_MIB
	local bytes, count = files.size(root)
	local needed = math.ceil((mib(bytes) + count * 4096 / MIB) * EXT4_SPARE) + EXT4_SPARE_MIB
	local all = START_MIB + boot + needed
	if size and size < all * MIB then
		failure.raise("the disk is too small: at least %d MiB are needed", all)
	end
	return { boot = boot, root_start = START_MIB + boot,
		root = math.floor((size or 0) / MIB) - START_MIB - boot }
end

local function make_table(job, raw, plan)
	local size = (plan.root_start + plan.root) * MIB
	local fd = failure.check(uv.fs_open(raw, "w", tonumber("600", 8)))
	local ok, err = uv.fs_ftruncate(fd, size)
	uv.fs_close(fd)
	failure.check(ok, err)
	local script = raw .. ".sfdisk"
	files.write(script, ("label: dos\nstart=%dMiB, size=%dMiB, type=e, bootable\n"
		.. "start=%dMiB, type=83\n"):format(START_MIB, plan.boot, plan.root_start))
	local stdin = failure.check(uv.fs_open(script, "r", 0))
	local _ <close> = setmetatable({}, { __close = function() uv.fs_close(stdin) end })
	job:run { "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw, stdin = stdin }
end

local function make_boot(job, raw, plan, kernel, initrd)
	local at = ("%s@@%dM"):format(raw, START_MIB)
	local sectors = MIB / SECTOR
	job:run { "mformat", "-i", at, "-T", ("%d"):format(plan.boot * sectors), "-h", "255", "-s", "63",
		"-H", ("%d"):format(START_MIB * sectors), "-v", "BOOT", "::" }
	local config = raw .. ".syslinux"
	files.write(config, rootfs.SYSLINUX:format(rootfs.COMMAND_LINE))
	for name, path in pairs { kernel = kernel, initrd = initrd, ["syslinux.cfg"] = config } do
		job:run { "mcopy", "-i", at, path, "::/" .. name }
	end
	job:run { "syslinux", "--offset", ("%d"):format(START_MIB * MIB), "--install", raw }
end

---Finds the boot code. Raises if it is missing.
---@return string path
function disk.find_mbr()
	for _, path in ipairs(MBR) do
		if files.is_file(path) then return path end
	end
	failure.raise "not found: mbr.bin, of syslinux; what it needs: apt-get install syslinux-common"
end

local function write_boot_code(raw)
	local code = files.read(disk.find_mbr())
	local file <close> = failure.check(io.open(raw, "r+b"))
	failure.check(file:write(code:sub(1, BOOT_CODE)))
end

-- The files must belong to root: another user runs mke2fs as root of a user namespace. All tables
-- are written now, since otherwise the guest, and each clone for itself, would write them later.
-- Zeros need not be written into a new file.
local function make_root(job, raw, plan, root)
	local words = { "mke2fs", "-q", "-F", "-t", "ext4", "-L", "gridcentric", "-m", "0", "-d", root,
		"-E", ("offset=%d,root_owner=0:0,nodiscard,lazy_itable_init=0,lazy_journal_init=0,"
			.. "assume_storage_prezeroed=1"):format(plan.root_start * MIB),
		raw, plan.root .. "M" }
	if uv.getuid() ~= 0 then
		tools.demand("unshare", "mke2fs")
		words[1] = tools.find "mke2fs"
		table.move(words, 1, #words, 4)
		words[1], words[2], words[3] = "unshare", "--map-root-user", "--"
	end
	job:run(words)
end

---@class gridcentric.ImageDisk
---@field size integer bytes
---@field kernel string path
---@field initrd string path of the small one
---@field root string the guest's files

---Makes the disk, in the format qcow2. Raises.
---@param job gridcentric.ImageJob
---@param parts gridcentric.ImageDisk
---@param folder string for what is made on the way
---@param path string of the disk
function disk.build(job, parts, folder, path)
	local raw = folder .. "/disk.raw"
	local plan = lay_out(parts.size, parts.kernel, parts.initrd, parts.root)
	make_table(job, raw, plan)
	make_boot(job, raw, plan, parts.kernel, parts.initrd)
	write_boot_code(raw)
	job.progress.part(0.3)
	make_root(job, raw, plan, parts.root)
	job.progress.part(0.7)
	job:run { "qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path }
end

return disk
