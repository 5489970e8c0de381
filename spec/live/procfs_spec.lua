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

	it("finds where a process listens", function()
		local sockets, expected = {}, {}
		for _, host in ipairs { "127.0.0.1", "127.77.0.9", "0.0.0.0", "::1", "::" } do
			local socket = uv.new_tcp()
			sockets[#sockets + 1] = socket
			assert(socket:bind(host, 0))
			assert(socket:listen(1, function() end))
			expected[#expected + 1] = { host = host, port = socket:getsockname().port }
		end
		local idle = uv.new_tcp()
		assert(idle:bind("127.0.0.1", 0)) -- does not listen
		sockets[#sockets + 1] = idle
		local found = {}
		for _, address in ipairs(procfs.listeners(self)) do found[address.port] = address.host end
		for _, address in ipairs(expected) do assert.equal(address.host, found[address.port]) end
		assert.is_nil(found[idle:getsockname().port])
		assert.matches("^127.0.0.1:%d+ and 127.77.0.9:%d+$",
			procfs.show_listeners { expected[1], expected[2] })
		assert.equal("[::1]:8000", procfs.show_listeners { { host = "::1", port = 8000 } })
		for _, socket in ipairs(sockets) do socket:close() end
		uv.run "nowait"
		assert.same({}, procfs.listeners(2 ^ 22 + 1))
	end)
end)
