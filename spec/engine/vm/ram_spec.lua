-- The file that holds a machine's memory: what no process can do to it that has it open.

local uv = require "luv"
local async = require "spec.support.async"
local engine_ram = require "gridcentric.engine_ram"

local page = 4096
local size = 1 << 20

local function new_ram(t)
	local ram = assert(engine_ram.new(size))
	t.defer(function() ram:drop() end)
	return ram
end

-- Through another descriptor than the engine's own, as QEMU opens it.
local function open_again(t, ram)
	local path = ("/proc/%d/fd/%d"):format(uv.os_getpid(), ram:fd())
	local fd = assert(uv.fs_open(path, "r+", 0))
	t.defer(function() uv.fs_close(fd) end)
	return fd
end

local function code_of(_, _, code) return code end

describe("the memory of a machine", function()
	it("can be written, but neither cut off nor grown", function()
		async.run(function(t)
			local ram = new_ram(t)
			local fd = open_again(t, ram)
			for _, bytes in ipairs { 0, size - page, size + page } do
				assert.equal("EPERM", code_of(uv.fs_ftruncate(fd, bytes)))
			end
			assert.equal(2, uv.fs_write(fd, "it", page))
			assert.equal(size, uv.fs_fstat(fd).size)
		end)
	end)

	it("cannot be written by anybody once it is sealed", function()
		async.run(function(t)
			local ram = new_ram(t)
			ram:fill(1, 7)
			local before = open_again(t, ram)
			assert.is_true(ram:seal())
			for _, fd in ipairs { before, open_again(t, ram) } do
				assert.equal("EPERM", code_of(uv.fs_write(fd, "it", page)))
				assert.equal("EPERM", code_of(uv.fs_ftruncate(fd, 0)))
				assert.equal("\7", uv.fs_read(fd, 1, page))
			end
			assert.is_true(ram:seal())
		end)
	end)
end)
