-- Unix sockets: names of any length, claims, and descriptors that travel with bytes.

local uv = require "luv"
local async = require "spec.support.async"
local spec_base = require "gridcentric.spec_base"

-- Runs fn(t, track): descriptors given to track are closed at its end.
local function run(fn)
	async.run(function(t)
		local fds = {}
		t.defer(function()
			for _, fd in ipairs(fds) do uv.fs_close(fd) end
		end)
		fn(t, function(fd, ...)
			if fd then fds[#fds + 1] = fd end
			return fd, ...
		end)
	end)
end

-- A folder whose path alone is longer than a socket's address.
local function deep_folder(t)
	local path = t.tmpdir()
	for _ = 1, 5 do
		path = path .. "/" .. ("d"):rep(40)
		assert(uv.fs_mkdir(path, 448))
	end
	return path
end

local function mode(path) return assert(uv.fs_lstat(path)).mode & 511 end

describe("a listening unix socket", function()
	it("is reached by its path, short or too long for an address", function()
		run(function(t, track)
			for _, folder in ipairs{ t.tmpdir(), deep_folder(t) } do
				local path = folder .. "/socket"
				assert(track(spec_base.listen(path, 384, 1)))
				assert(track(spec_base.connect(path, 0)))
			end
		end)
	end)

	it("has the permissions that it should have, whatever the umask", function()
		run(function(t, track)
			for i, permissions in ipairs{ 384, 438 } do -- 0600, 0666
				local path = t.tmpdir() .. "/" .. i
				assert(track(spec_base.listen(path, permissions, 1)))
				assert.equal(permissions, mode(path))
			end
		end)
	end)

	it("does not take the place of a file", function()
		run(function(t, track)
			local path = t.tmpdir() .. "/socket"
			assert(track(spec_base.listen(path, 384, 1)))
			assert.same({ nil, "EADDRINUSE" }, { track(spec_base.listen(path, 384, 1)) })
		end)
	end)

	it("leaves no file where it fails", function()
		run(function(t, track)
			local folder = t.tmpdir()
			assert.same({ nil, "ENOENT" }, { track(spec_base.listen(folder .. "/no/socket", 384, 1)) })
			local long = folder .. "/" .. ("n"):rep(200)
			assert.same({ nil, "ENAMETOOLONG" }, { track(spec_base.listen(long, 384, 1)) })
			assert.is_nil(uv.fs_scandir_next(assert(uv.fs_scandir(folder))))
		end)
	end)
end)

describe("connecting", function()
	it("fails where nobody listens", function()
		run(function(t, track)
			local path = t.tmpdir() .. "/socket"
			assert.same({ nil, "ENOENT" }, { track(spec_base.connect(path, 0)) })
			uv.fs_close(assert(spec_base.listen(path, 384, 1)))
			assert.same({ nil, "ECONNREFUSED" }, { track(spec_base.connect(path, 0)) })
		end)
	end)

	it("gives up when its time is over while the queue is full", function()
		run(function(t, track)
			local path = t.tmpdir() .. "/socket"
			assert(track(spec_base.listen(path, 384, 0)))
			local fd, name
			repeat fd, name = track(spec_base.connect(path, 1)) until not fd
			assert.equal("ETIMEDOUT", name)
		end)
	end)
end)

describe("a claim", function()
	it("is one process's until it is closed", function()
		run(function(_, track)
			local name = "gridcentric-spec/" .. uv.os_getpid()
			local fd = assert(spec_base.claim(name))
			assert.same({ nil, "EADDRINUSE" }, { track(spec_base.claim(name)) })
			assert(track(spec_base.claim(name .. "0"))) -- the whole name counts
			uv.fs_close(fd)
			assert(track(spec_base.claim(name)))
		end)
	end)
end)

describe("descriptors", function()
	-- Sends n descriptors of files and gives what comes.
	local function pass(track, n)
		local near, far = spec_base.pair()
		track(near)
		track(far)
		local fds = {}
		for i = 1, n do fds[i] = near end
		assert.equal(5, spec_base.send(near, "bytes", fds))
		local bytes, got, lost = spec_base.receive(far, 100)
		for _, fd in ipairs(got) do track(fd) end
		return bytes, #got, lost
	end

	it("come with the bytes that they were sent with", function()
		run(function(_, track)
			for _, n in ipairs{ 0, 1, 2, 63, 64 } do
				assert.same({ "bytes", n, false }, { pass(track, n) })
			end
		end)
	end)

	it("work at the other side, and are not inherited", function()
		run(function(_, track)
			local near, far = spec_base.pair()
			local read_end, write_end = spec_base.pair()
			for _, fd in ipairs{ near, far, read_end, write_end } do track(fd) end
			spec_base.send(near, "x", { write_end })
			local _, got = spec_base.receive(far, 1)
			spec_base.send(track(got[1]), "through", {})
			assert.equal("through", (spec_base.receive(read_end, 100)))
			local flags = io.lines(("/proc/self/fdinfo/%d"):format(got[1]))
			flags() -- pos
			assert.equal(1, tonumber(flags():match("flags:%s*(%d+)"), 8) >> 19 & 1) -- O_CLOEXEC
		end)
	end)

	it("are not waited for, nor is room", function()
		run(function(_, track)
			local near, far = spec_base.pair()
			track(near)
			assert.same({ nil, "EAGAIN" }, { spec_base.receive(near, 1) })
			local name
			repeat _, name = spec_base.send(near, ("x"):rep(60000), {}) until name
			assert.equal("EAGAIN", name)
			uv.fs_close(far)
			assert.same({ nil, "EPIPE" }, { spec_base.send(near, "x", {}) })
		end)
	end)
end)
