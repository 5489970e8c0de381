-- Copies of the memory of a machine that runs: a process that has mapped it writes to
-- it, and the copy has to be the same in the end.

local uv = require "luv"
local async = require "spec.support.async"
local engine_ram = require "gridcentric.engine_ram"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local slowness = require "spec.support.slowness"

local page = 4096
local size = 32 << 20
local npages = size // page
local limit_ms = 10000 * slowness -- of a part
local track = paths.build .. "/lib/gridcentric/gridcentric-preload.so"

local User = {}
User.__index = User

-- Starts a line of Lua there (spec/scripts/ram_user.lua).
function User:begin(...) assert(self.process:write((...):format(select(2, ...)) .. "\n")) end

-- What that line gave, as a text.
function User:result()
	local mark, value = self.process:line("^([=!])\t(.*)")
	assert(mark == "=", value)
	return value
end

function User:run(...)
	self:begin(...)
	return self:result()
end

-- Writes the patterns at these pages: { [page] = byte }.
function User:fill(pages)
	for at, byte in pairs(pages) do self:run("map:fill(%d, %d)", at, byte) end
end

function User:kill()
	self.process:kill("sigkill")
	self.process:wait()
end

local function path_of(ram) return ("/proc/%d/fd/%d"):format(uv.os_getpid(), ram:fd()) end

-- A process that has mapped a file, "shared", "tracked" or "private".
local function start_user(t, ram, kind)
	local env
	if kind == "tracked" then
		local outer = os.getenv("LD_PRELOAD")
		env = { GRIDCENTRIC_TRACK_FD = "9", LD_PRELOAD = (outer and outer .. " " or "") .. track }
	end
	local process = t.spawn{ "sh", "-c", 'exec lua5.4 "$@" 9<>"$0"', path_of(ram),
		paths.scripts .. "/ram_user.lua", tostring(size), kind, stdin = true, env = env }
	local user = setmetatable({ process = process }, User)
	user:run "map ~= nil"
	t.defer(function() process:close_stdin() end)
	return user
end

local function new_ram(t)
	local ram = assert(engine_ram.new(size))
	t.defer(function() ram:drop() end)
	return ram
end

-- What a body is given: the two files, the process, the copy.
local function open(t, kind, before)
	local all = { from = new_ram(t), to = new_ram(t) }
	for at, byte in pairs(before or {}) do all.from:fill(at, byte) end
	all.user = start_user(t, all.from, kind)
	all.pid = all.user.process.pid
	all.copy = engine_ram.copy(all.from, all.to, all.pid, kind == "private")
	t.defer(function() all.copy:finish() end)
	function all.part(name)
		assert(all.copy:start(name))
		assert(all.copy:wait(limit_ms))
	end
	return all
end

local function end_user(all)
	all.user.process:close_stdin()
	assert.equal(0, (all.user.process:wait()), all.user.process:describe())
end

local function shared_with(kind, before, body)
	return function()
		async.run(function(t)
			local all = open(t, kind, before)
			body(all, t)
			assert.is_nil(all.from:difference(all.to))
			end_user(all)
		end)
	end
end

-- Why the kernel tells nobody what was written, or nil.
local function why_untracked()
	local why
	async.run(function(t)
		local all = open(t, "tracked")
		all.part "ahead"
		if not all.copy:is_tracked() then
			why = "needs Linux 6.7, and userfaultfd: see csrc/preload/qemu/ram_track.c"
		end
		end_user(all)
	end)
	return why
end

local touched = { [0] = 1, [1] = 2, [100] = 3, [1023] = 4, [1024] = 5, [npages - 1] = 6 }

-- Statements that hold however the kernel tells.
local function describe_shared(kind, given)
	local function shared(before, body) return given(shared_with(kind, before, body)) end

	it("has all that was there, and the holes", shared(touched, function(all)
		all.part "ahead"
		assert.equal(6 * page, all.copy:copied())
		all.part "rest"
		assert.equal(0, all.copy:copied())
		assert.same({ 0, 1, 100, 1023, 1024, npages - 1 }, all.to:data())
	end))

	it("has what is written between the parts, and copies that alone", shared(touched, function(all)
		all.part "ahead"
		all.user:fill{ [0] = 11, [1] = 12, [1024] = 13, [npages - 1] = 14 }
		all.part "rest"
		assert.equal(4 * page, all.copy:copied())
	end))

	it("has pages that were holes before", shared(touched, function(all)
		all.part "ahead"
		all.user:fill{ [2] = 1, [1022] = 2, [1025] = 3, [5000] = 4, [5001] = 5, [npages - 2] = 6 }
		all.part "rest"
		assert.equal(6 * page, all.copy:copied())
		assert.equal(12, #all.to:data())
	end))

	it("has what the kernel writes for the process", shared(touched, function(all)
		all.part "ahead"
		all.user:run "map:random(100)"
		all.user:run "map:random(7000)"
		all.part "rest"
		assert.equal(2 * page, all.copy:copied())
	end))

	it("has what is written while it is made", shared(touched, function(all)
		for _ = 1, 3 do all.user:run("map:storm(20000, %d)", npages) end
		all.user:begin("map:storm(2000000, %d)", npages)
		all.part "ahead"
		all.user:result()
		all.part "rest"
	end))

	it("has what was read first, then written", shared(touched, function(all)
		all.user:run "map:read(1)"
		all.user:run "map:read(2000)"
		all.part "ahead"
		all.user:run "map:read(3000)"
		all.user:fill{ [1] = 21, [2000] = 22, [3000] = 23 }
		all.part "rest"
	end))

	it("has pages that became zeroes", shared(touched, function(all)
		all.part "ahead"
		all.user:fill{ [1] = 0, [1024] = 0, [4000] = 0 }
		all.part "rest"
	end))

	it("is whole without the first part", shared(touched, function(all)
		all.user:fill{ [7] = 1, [8000] = 2 }
		all.part "rest"
		assert.equal(8 * page, all.copy:copied())
		assert.equal(8, #all.to:data())
	end))

	it("can be brought up to date again", shared(touched, function(all)
		all.part "ahead"
		for i = 1, 5 do
			all.user:fill{ [0] = 30 + i, [200 + i] = i }
			all.part "rest"
			assert.equal(2 * page, all.copy:copied())
			assert.is_nil(all.from:difference(all.to))
		end
	end))

	it("is whole when the process ends before the rest", given(function()
		async.run(function(t)
			local all = open(t, kind, touched)
			all.part "ahead"
			all.user:fill{ [1] = 41, [6000] = 42 }
			all.user:kill()
			all.part "rest"
			assert.is_nil(all.from:difference(all.to))
		end)
	end))

	it("can be given up while threads are at work", given(function()
		async.run(function(t)
			local all = open(t, kind, touched)
			all.user:run("map:storm(100000, %d)", npages)
			for _, part in ipairs{ "ahead", "rest" } do
				local before = procfs.descriptors("self")
				local copy = engine_ram.copy(all.from, all.to, all.pid, false)
				assert(copy:start(part))
				assert.is_true(copy:is_busy())
				assert.equal(1, copy:finish())
				assert.same(before, procfs.descriptors("self"))
			end
			end_user(all)
		end)
	end))
end

describe("a copy whose pages are compared", function()
	describe_shared("shared", function(body) return body end)

	it("does not count what was written and is the same", shared_with("shared", touched, function(all)
		all.part "ahead"
		all.user:fill(touched)
		all.part "rest"
		assert.is_false(all.copy:is_tracked())
		assert.equal(0, all.copy:copied())
	end))
end)

describe("a copy whose pages the kernel tracks", function()
	local why

	setup(function() why = why_untracked() end)

	local function given(body)
		return function()
			if why then pending(why) end
			body()
		end
	end

	describe_shared("tracked", given)

	it("copies what was written, also if it is the same", given(
		shared_with("tracked", touched, function(all)
			all.part "ahead"
			assert.is_true(all.copy:is_tracked())
			all.user:fill(touched)
			all.part "rest"
			assert.equal(6 * page, all.copy:copied())
		end)))

	it("copies more ranges than are asked for at a time", given(
		shared_with("tracked", touched, function(all)
			all.part "ahead"
			all.user:run "(function() for i = 0, 4000, 2 do map:fill(i, 7) end end)()"
			all.part "rest"
			assert.equal(2001 * page, all.copy:copied())
		end)))

	it("asks what was written since the last answer", given(function()
		async.run(function(t)
			local all = open(t, "tracked", touched)
			local look = assert(engine_ram.look(all.pid, all.from))
			t.defer(function() look:close() end)
			look:written()
			assert.equal(0, look:written())
			all.user:fill{ [3] = 1, [5] = 1, [7] = 1, [9] = 1, [10] = 1 }
			assert.equal(5, look:written())
			assert.equal(0, look:written())
			all.user:kill()
			assert.same({ nil, "No such process", "ESRCH" }, { look:written() })
		end)
	end))
end)

describe("a copy of memory that is mapped privately", function()
	-- The file never changes: the copy has to be what the process sees, which saves that.
	local function private_with(before, body)
		return function()
			async.run(function(t)
				local all = open(t, "private", before)
				local seen = new_ram(t)
				body(all, t)
				all.user:run("map:save(%q)", path_of(seen))
				assert.is_nil(seen:difference(all.to))
				end_user(all)
			end)
		end
	end

	it("is the file's where nothing was written", private_with(touched, function(all)
		all.part "ahead"
		assert.equal(6 * page, all.copy:copied())
		all.part "rest"
		assert.equal(0, all.copy:copied())
		assert.same({ 0, 1, 100, 1023, 1024, npages - 1 }, all.to:data())
	end))

	it("has the pages that were written, and copies those alone", private_with(touched, function(all)
		all.user:fill{ [1] = 51, [1023] = 52, [1024] = 53 }
		all.part "ahead"
		all.user:fill{ [1] = 54, [100] = 55, [npages - 1] = 56 }
		all.part "rest"
		assert.equal(5 * page, all.copy:copied())
	end))

	it("has pages that were holes, and no other new ones", private_with(touched, function(all)
		all.part "ahead"
		all.user:fill{ [2] = 1, [3] = 2, [5000] = 3 }
		all.user:run "map:random(6000)"
		all.part "rest"
		assert.equal(4 * page, all.copy:copied())
		assert.equal(10, #all.to:data())
	end))

	it("does not take what was only read for written", private_with(touched, function(all)
		all.part "ahead"
		all.user:run "map:read(1)"
		all.user:run "map:read(1024)"
		all.user:run "map:read(3000)"
		all.part "rest"
		assert.equal(0, all.copy:copied())
	end))

	it("is whole when all was written", private_with(touched, function(all)
		all.part "ahead"
		all.user:run("(function() for i = 0, %d do map:fill(i, i // 99 + 1) end end)()", npages - 1)
		all.part "rest"
		assert.equal(size, all.copy:copied())
	end))

	it("is whole without the first part", private_with(touched, function(all)
		all.user:fill{ [1] = 61, [4000] = 62 }
		all.part "rest"
		assert.equal(7, #all.to:data())
	end))

	it("leaves the file as it is", private_with(touched, function(all, t)
		local original = new_ram(t)
		for at, byte in pairs(touched) do original:fill(at, byte) end
		all.user:fill{ [1] = 61, [4000] = 62 }
		all.part "ahead"
		all.part "rest"
		assert.is_nil(all.from:difference(original))
		assert.equal(1, all.from:difference(all.to))
	end))

	it("fails when the process has gone", function()
		async.run(function(t)
			local all = open(t, "private", touched)
			local gone = { nil, "copy of the memory: No such process", "ESRCH" }
			all.part "ahead"
			local look = assert(engine_ram.look(all.pid, all.from))
			t.defer(function() look:close() end)
			assert.equal(0, look:private())
			all.user:kill()
			assert.same(gone, { all.copy:start("rest") })
			assert.is_false(all.copy:is_busy())
			assert.same({ nil, "No such process", "ESRCH" }, { look:private() })
			assert.same({ nil, "No such process", "ESRCH" }, { engine_ram.look(all.pid, all.from) })
		end)
	end)

	it("fails when the process has mapped something else", function()
		async.run(function(t)
			local all = open(t, "private", touched)
			local other = engine_ram.copy(new_ram(t), all.to, all.pid, true)
			t.defer(function() other:finish() end)
			assert.equal("ESRCH", (select(3, other:start("rest"))))
			end_user(all)
		end)
	end)
end)

describe("a copy", function()
	it("that was not begun can be ended", function()
		async.run(function(t)
			local all = open(t, "shared")
			local before = procfs.descriptors("self")
			assert.equal(1, engine_ram.copy(all.from, all.to, all.pid, false):finish())
			assert.same(before, procfs.descriptors("self"))
			end_user(all)
		end)
	end)

	it("leaves nothing open", function()
		async.run(function(t)
			local all = open(t, "shared", touched)
			local before = procfs.descriptors("self")
			for _, is_private in ipairs{ false, true } do
				local copy = engine_ram.copy(all.from, all.to, all.pid, is_private)
				for _, part in ipairs{ "ahead", "rest", "rest" } do
					assert(copy:start(part))
					assert(copy:wait(limit_ms))
				end
				assert.equal(1, copy:finish())
			end
			assert.same(before, procfs.descriptors("self"))
			end_user(all)
		end)
	end)

	it("of memory that nobody has touched takes no room", shared_with("shared", {}, function(all)
		all.part "ahead"
		all.part "rest"
		assert.same({ 0, 0 }, { all.copy:copied(), all.to:bytes() })
	end))
end)

describe("a storage", function()
	-- Runs a program with engine_ram in a folder that holds 40 MiB and no more.
	local function in_small_storage(program)
		local mount = 'mount -t tmpfs -o size=40m none "$0" && exec "$@"'
		if not os.execute "unshare -Urm sh -c 'mount -t tmpfs none /mnt' 2>/dev/null" then
			pending "needs `unshare -Urm`"
		end
		async.run(function(t)
			local folder = t.tmpdir()
			local p = t.spawn{ "unshare", "-Urm", "sh", "-ec", mount, folder, "lua5.4", "-e", program,
				env = { GRIDCENTRIC_RAM_DIR = folder } }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("", p.stderr)
		end)
	end

	-- With the file `from` in memory, whose first pages are filled, and `to` in the folder.
	local program = ([[
		local uv, engine_ram = require "luv", require "gridcentric.engine_ram"
		local size, limit_ms, folder = %d, %d, os.getenv "GRIDCENTRIC_RAM_DIR"
		local to = assert(engine_ram.new(size))
		assert(select(3, engine_ram.new(2 * size)) == "ENOSPC")
		local file <close> = assert(io.open(folder .. "/file", "w"))
		assert(file:write(("x"):rep(36 << 20)) and file:flush()) -- leaves 4 MiB
		uv.os_unsetenv "GRIDCENTRIC_RAM_DIR"
		local from = assert(engine_ram.new(size))
		local function fill(n)
			for i = 0, n - 1 do from:fill(i, 1) end
		end
		local copy = engine_ram.copy(from, to, uv.os_getpid(), false)
	]]):format(size, limit_ms)

	it("that is full fails the copy, in each part", function()
		in_small_storage(program .. [[
			fill(2048)
			for _, part in ipairs{ "ahead", "rest" } do
				assert(copy:start(part))
				local ok, text, code = copy:wait(limit_ms)
				assert(ok == nil and code == "ENOSPC", code)
				assert(text == "copy of the memory: No space left on device", text)
				assert(not copy:is_busy())
			end
			assert(copy:finish() == 1)
		]])
	end)

	it("that fills up after the first part fails the second, and has its room again", function()
		in_small_storage(program .. [[
			fill(64)
			assert(copy:start "ahead")
			assert(copy:wait(limit_ms))
			fill(2048)
			assert(copy:start "rest")
			assert(select(3, copy:wait(limit_ms)) == "ENOSPC")
			assert(copy:finish() == 1)
			to:drop()
			assert(os.execute('test "$(stat -fc %f "' .. folder .. '")" -ge 1023'))
		]])
	end)
end)
