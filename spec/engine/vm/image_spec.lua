-- Files that machines boot from, and files that are none.

local uv = require "luv"
local async = require "spec.support.async"
local engine_image = require "gridcentric.engine_image"
local procfs = require "spec.support.procfs"

local block = 512
local no_image = "not an image that boots"

local function write(path, text)
	local file = assert(io.open(path, "wb"))
	assert(file:write(text))
	file:close()
	return path
end

local function read(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("a")
	file:close()
	return text
end

-- A tar as `gcscale image build` makes it, of members in this order: name, content, ...
local function make_tar(t, ...)
	local folder, names = t.tmpdir(), {}
	for i = 1, select("#", ...), 2 do
		local name, content = select(i, ...)
		names[#names + 1] = name
		write(folder .. "/" .. name, content)
	end
	local path = t.tmpdir() .. "/x.img"
	assert(os.execute(("tar --format=ustar -C %s -cf %s %s"):format(folder, path,
		table.concat(names, " "))))
	return path
end

local description, kernel, initrd = '{"version": 1}', ("kernel"):rep(500), ("i"):rep(2 * block)

local function make_image(t)
	return make_tar(t, "gridcentric-image", description, "kernel", kernel, "initrd", initrd)
end

-- The beginning of a qcow2 file; fields that are not as in an empty disk of 1 GiB.
local function qcow2(fields)
	local f = setmetatable(fields or {}, { __index = function() return 0 end })
	return string.pack(">c4I4I8I4I4I8I4I4I8I8I4I4I8I8", "QFI\xfb", rawget(f, "version") or 3,
		f.backing_offset, f.backing_len, 16, rawget(f, "size") or 1 << 30, f.encryption, 16,
		0x30000, 0x10000, 1, 0, 0, f.incompatible) .. ("\0"):rep(block)
end

-- Opens what make(t) gives; what that opened is closed again, and nothing else is open.
local function with_image(make, body)
	return function()
		async.run(function(t)
			local path = make(t)
			local before = procfs.descriptors("self")
			local image = assert(engine_image.open(path))
			body(image)
			image:close()
			assert.same(before, procfs.descriptors("self"))
			image:close()
			assert.same(before, procfs.descriptors("self"))
		end)
	end
end

local function assert_refused(t, path, why, code)
	local before = procfs.descriptors("self")
	assert.same({ nil, path .. ": " .. (why or no_image), code or "GC_EIMAGE" },
		{ engine_image.open(path) })
	assert.same(before, procfs.descriptors("self"))
end

describe("an image", function()
	it("gives its kernel and its initramfs", with_image(make_image, function(image)
		assert.equal(kernel, image.kernel)
		assert.equal(initrd, image.initrd)
		assert.is_nil(image.disk)
		assert.equal(2, #image.fds)
	end))

	it("may have more members behind those", with_image(function(t)
		return make_tar(t, "gridcentric-image", "", "kernel", "k", "initrd", "i", "more", "m")
	end, function(image) assert.same({ "k", "i" }, { image.kernel, image.initrd }) end))

	it("may be cut off behind the initramfs", with_image(function(t)
		local path = make_image(t)
		local size = block + block + block + 6 * block + block + #initrd
		return write(path, read(path):sub(1, size))
	end, function(image) assert.equal(initrd, image.initrd) end))

	it("is copied: what becomes of the file does not matter", function()
		async.run(function(t)
			local path = make_image(t)
			local image = assert(engine_image.open(path))
			t.defer(function() image:close() end)
			write(path, "something else")
			assert.equal(#kernel, uv.fs_fstat(image.fds[1]).size)
			assert.equal(#initrd, uv.fs_fstat(image.fds[2]).size)
		end)
	end)

	it("can be read by any user, and written by none", with_image(make_image, function(image)
		for _, fd in ipairs(image.fds) do assert.equal(292, uv.fs_fstat(fd).mode & 511) end -- 0444
	end))
end)

describe("the kernel and initramfs of an image", function()
	it("cannot be changed by a QEMU that has them open", with_image(make_image, function(image)
		for i, text in ipairs { kernel, initrd } do
			local fd = image.fds[i]
			assert.equal("EPERM", select(3, uv.fs_write(fd, "evil", 0)))
			assert.equal("EPERM", select(3, uv.fs_ftruncate(fd, 0)))
			assert.equal(text, uv.fs_read(fd, #text + 1, 0))
		end
	end))
end)

describe("no image", function()
	it("is a tar with other members, or another order", function()
		async.run(function(t)
			assert_refused(t, make_tar(t, "kernel", kernel, "initrd", initrd))
			assert_refused(t, make_tar(t, "gridcentric-image2", "", "kernel", kernel, "initrd", initrd))
			assert_refused(t, make_tar(t, "gridcentric-image", "", "initrd", initrd, "kernel", kernel))
			assert_refused(t, make_tar(t, "gridcentric-image", "", "kernel", kernel))
			assert_refused(t, make_tar(t, "gridcentric-image", ""))
		end)
	end)

	it("is one whose end is missing", function()
		async.run(function(t)
			local path = make_image(t)
			local text, missing = read(path), "its end is missing"
			local kernel_at = 3 * block
			local initrd_at = kernel_at + 6 * block + block
			for _, size in ipairs{ kernel_at, kernel_at + 1, kernel_at + #kernel - 1, initrd_at,
				initrd_at + #initrd - 1 } do
				assert_refused(t, write(path, text:sub(1, size)), missing)
			end
			for _, size in ipairs{ 1, block - 1, 2 * block, kernel_at - 1, initrd_at - 1 } do
				assert_refused(t, write(path, text:sub(1, size)))
			end
			assert_refused(t, write(path, text:sub(1, block)), missing)
		end)
	end)

	it("is a member whose size is no number, or beyond all", function()
		async.run(function(t)
			local path = make_image(t)
			local text = read(path)
			local function with_size(size)
				return write(path, text:sub(1, 2 * block + 124) .. size .. text:sub(2 * block + 137))
			end
			for _, size in ipairs{ "-0000000001\0", "\x80\0\0\0\0\0\0\0\0\0\0\1", ("\0"):rep(12),
				"99999999999\0" } do
				assert_refused(t, with_size(size))
			end
			assert_refused(t, with_size "77777777777\0", "its end is missing")
			assert_refused(t, with_size "777777777777", "its end is missing")
		end)
	end)

	it("is an empty file, a text, or zeroes", function()
		async.run(function(t)
			local path = t.tmpdir() .. "/x.img"
			for _, text in ipairs{ "", "Hello\n", ("Hello\n"):rep(1000), ("\0"):rep(10240) } do
				assert_refused(t, write(path, text))
			end
		end)
	end)

	it("is a folder, or a pipe", function()
		async.run(function(t)
			local folder = t.tmpdir()
			assert_refused(t, folder)
			assert(os.execute(("mkfifo %s/pipe"):format(folder)))
			assert_refused(t, folder .. "/pipe")
		end)
	end)

	it("is a file that is not there", function()
		async.run(function(t)
			assert_refused(t, t.tmpdir() .. "/x.img", "No such file or directory", "ENOENT")
		end)
	end)
end)

describe("a disk", function()
	local function file(fields)
		return function(t) return write(t.tmpdir() .. "/x.qcow2", qcow2(fields)) end
	end

	local function is_disk(size)
		return function(image)
			assert.same({ true, size }, { image.disk, image.disk_size })
			assert.is_nil(image.kernel)
			assert.equal(1, #image.fds)
		end
	end

	it("has the size that it says", with_image(file(), is_disk(1 << 30)))
	it("may be of the older version", with_image(file{ version = 2, incompatible = 4 },
		is_disk(1 << 30)))
	it("may be very small, or large", function()
		with_image(file{ size = block }, is_disk(block))()
		with_image(file{ size = 1 << 46 }, is_disk(1 << 46))()
	end)

	it("that needs another file is refused", function()
		async.run(function(t)
			local why = "it needs another file (qemu-img convert -O qcow2 makes one of both)"
			assert_refused(t, file{ backing_offset = 512, backing_len = 4 }(t), why)
			assert_refused(t, file{ incompatible = 4 }(t), why)
		end)
	end)

	it("that is encrypted is refused", function()
		async.run(function(t)
			for kind = 1, 2 do assert_refused(t, file{ encryption = kind }(t), "it is encrypted") end
		end)
	end)

	it("of no size, or half a sector, or too much is refused", function()
		async.run(function(t)
			for size, text in pairs{ [0] = "0", [block + 1] = "513", [-block] = "18446744073709551104",
				[(1 << 46) + block] = "70368744178176" } do
				assert_refused(t, file{ size = size }(t), ("a disk of %s bytes"):format(text))
			end
			assert_refused(t, write(t.tmpdir() .. "/x", "QFI\xfb"), "a disk of 0 bytes")
		end)
	end)

	it("made by qemu-img is one", function()
		if not os.execute "command -v qemu-img >/dev/null" then pending "needs qemu-img" end
		with_image(function(t)
			local path = t.tmpdir() .. "/x.qcow2"
			local p = t.spawn{ "qemu-img", "create", "-q", "-f", "qcow2", path, "12M", foreign = true }
			assert.equal(0, (p:wait()), p:describe())
			return path
		end, is_disk(12 << 20))()
	end)
end)
