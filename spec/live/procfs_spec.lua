local procfs = require "gridcentric.live.procfs"
local uv = require "luv"

describe("procfs", function()
	local self = uv.os_getpid()

	it("tells the processor time of a process", function()
		local before, clock = procfs.cpu_time(self), os.clock()
		while os.clock() - clock < 0.05 do assert(true) end
		local used = procfs.cpu_time(self) - before
		assert.is_true(used >= 0.03 and used < 0.5)
		assert.is_true(math.abs(procfs.cpu_time(self) - os.clock()) < 0.5)
	end)

	it("tells the memory that a process does not share", function()
		local before = procfs.private_memory(self)
		local ballast = ("x"):rep(20 * 1024 * 1024)
		local more = procfs.private_memory(self) - before
		-- a sanitizer keeps what was freed meanwhile
		assert.is_true(more > 19e6 and more < 64e6, tostring(more))
		assert.equal(20 * 1024 * 1024, #ballast)
	end)

	it("knows nothing of a process that is not there", function()
		assert.is_nil(procfs.cpu_time(2 ^ 22 + 1))
		assert.is_nil(procfs.private_memory(2 ^ 22 + 1))
	end)
end)
