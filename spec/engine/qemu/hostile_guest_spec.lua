-- Guests that are up to no good, without a machine: spec/scripts/fake_qemu.lua plays QEMU and the
-- agent. Whatever they say, the engine lives, and its owner gets one answer to what it asked.

local assert = require "luassert"
local async = require "spec.support.async"
local files = require "gridcentric.image.files"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local tmp = require "spec.support.tmp"
local uv = require "luv"

local missing = parts.needs_pidfd()
if missing then
	return it("hostile guests", function() pending(missing) end)
end

local PORT = 8001
local EXECUTABLE = tonumber("755", 8)

-- ---- an owner --------------------------------------------------------------------

local Owner = {}
Owner.__index = Owner
Owner.__name = "spec owner"

function Owner:say(...) assert(self.p:write((...):format(select(2, ...)) .. "\n")) end

-- How many lines of what was told are that, up to now.
function Owner:count(line)
	local _, n = ("\n" .. self.p.stdout):gsub("\n" .. line .. "%f[\n]", "")
	return n
end

-- The engine is asked for something, and answers. What it had said before has been told then.
function Owner:assert_engine_lives()
	self:say "ticket 1"
	self.p:line "^ticket$"
	self:say "release"
	self.p:line "^released$"
end

function Owner:ready() self.p:line "^ready 0 " end

-- Asks for a clone; what the answer says, of which there is one.
function Owner:clone()
	self:say "clone 1"
	local answer = self.p:line "^cloned ?(.*)"
	self:assert_engine_lives()
	assert.equal(1, self:count "cloned[^\n]*")
	return answer
end

-- An image, as far as the engine looks into it.
local function make_image(t)
	local folder = t.tmpdir()
	local names = { "gridcentric-image", "kernel", "initrd" }
	for _, name in ipairs(names) do files.write(folder .. "/" .. name, name) end
	local p = t.spawn { "tar", "--format=ustar", "-C", folder, "-cf", folder .. "/image",
		table.unpack(names) }
	assert(p:wait() == 0, p:describe())
	return folder .. "/image"
end

-- What is started in QEMU's place: by another user, and with nothing of this environment.
local function make_qemu(t, mode)
	local folder = assert(uv.fs_mkdtemp "/tmp/gc-XXXXXX")
	t.defer(function() tmp.remove(folder) end)
	assert(uv.fs_chmod(folder, EXECUTABLE))
	files.copy(paths.scripts .. "/fake_qemu.lua", folder .. "/fake_qemu.lua", EXECUTABLE)
	files.write(folder .. "/qemu", ([[#!/bin/sh
		unset LD_PRELOAD
		sed -n 's/.*gridcentric-preload/preloaded: gridcentric-preload/p' /proc/$$/maps >&2
		GRIDCENTRIC_SPEC=%s exec lua5.4 %s/fake_qemu.lua %s "$@"
	]]):format(t.mark, folder, mode), EXECUTABLE)
	return folder .. "/qemu"
end

-- Body gets an owner of a guest of that mode. options: engine(t) gives its path, if it is not where
-- it was built; timeout: seconds that a guest may say nothing.
local function with(mode, body, options)
	options = options or {}
	async.run(function(t)
		local p = t.spawn { "lua5.4", paths.scripts .. "/backend.lua", tostring(PORT), make_image(t),
			stdin = true, env = {
				GRIDCENTRIC_QEMU = make_qemu(t, mode),
				GRIDCENTRIC_ENGINE = options.engine and options.engine(t),
				GRIDCENTRIC_VM_TIMEOUT = options.timeout,
			} }
		local owner = setmetatable({ t = t, p = p }, Owner)
		body(owner)
		owner:say "close"
		p:line "^closed$"
		assert.equal(0, (p:wait()), p:describe())
	end)
end

local function engine_of(t)
	for _, stat in ipairs(procfs.marked(t.mark)) do
		if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
	end
end

-- ---- guests ----------------------------------------------------------------------

describe("the engine, with a guest", function()
	it("makes clones of one that does as it should", function()
		with("honest", function(owner)
			owner:ready()
			assert.equal("1", owner:clone())
		end)
	end)

	it("lives when it says twice that it is prepared", function()
		with("prepared_twice", function(owner)
			owner:ready()
			assert.equal("1", owner:clone())
		end)
	end)

	it("lives when it says that it is prepared, and then that it is not", function()
		with("prepared_and_not", function(owner)
			owner:ready()
			assert.equal("1", owner:clone())
		end)
	end)

	it("takes no notice when it is prepared for what nobody asked", function()
		with("prepared_unasked", function(owner)
			owner:ready()
			assert.equal("1", owner:clone())
		end)
	end)

	it("tells its owner once that it is starting, however often it says hello", function()
		with("hello_flood", function(owner)
			owner:ready()
			owner:assert_engine_lives()
			assert.equal(1, owner:count "starting 0")
		end)
	end)

	it("lets it wait 64 times for its own end, and no more", function()
		with("stop_flood", function(owner)
			owner.p:errline "busy 936, else 0"
			owner.p:line "^ended 0$"
			owner:assert_engine_lives()
			assert.equal(1, owner:count "ended 0")
		end)
	end)

	it("takes it for ready once", function()
		with("ready_twice", function(owner)
			owner:ready()
			assert.equal("1", owner:clone())
			for vmid = 0, 1 do assert.equal(1, owner:count(("ready %d [^\n]*"):format(vmid))) end
		end)
	end)

	it("gives up one that sends garbage, and lives", function()
		with("garbage", function(owner)
			owner.p:line "^ended 0$"
			owner:assert_engine_lives()
			assert.equal(1, owner:count "ended 0")
		end)
	end)
end)

-- Why the first machine has ended, by the ledger.
local function failure(t)
	local p = t.spawn { paths.engine, "--print", "events" }
	assert(p:wait() == 0, p:describe())
	return p.stdout
end

describe("a guest that is ready", function()
	it("is asked, and lives while it answers", function()
		with("honest", function(owner)
			owner:ready()
			owner.p:errline "^asked 12$" -- four times the limit
			owner.p:errline "^pinged 12$"
			assert.equal(0, owner:count "ended 0")
			assert.equal("1", owner:clone())
		end, { timeout = "0.3" })
	end)

	it("is ended when it says nothing for the limit", function()
		with("silent", function(owner)
			owner:ready()
			owner.p:line "^ended 0$"
			owner:assert_engine_lives()
		end, { timeout = "0.3" })
	end)

	it("is ended when its agent has gone and does not come back", function()
		with("gone", function(owner)
			owner:ready()
			owner.p:line "^ended 0$"
			owner:assert_engine_lives()
			assert.matches("agent lost", failure(owner.t), 1, true)
		end, { timeout = "0.3" })
	end)

	it("is ended at once when its kernel panics", function()
		with("panicked", function(owner)
			owner.p:line "^ended 0$"
			owner:assert_engine_lives()
		end, { timeout = "0.3" })
	end)

	it("is not sent what its agent does not know", function()
		with("old", function(owner)
			owner:ready()
			owner.p:errline "^asked 12$"
			assert.equal(0, owner:count "ended 0")
		end, { timeout = "0.3" })
	end)

	it("lives on when the engine was stopped for longer than the limit", function()
		with("honest", function(owner)
			owner:ready()
			owner.p:errline "^pinged 1$"
			local engine = engine_of(owner.t)
			assert(uv.kill(engine, "sigstop"))
			local until_ms = uv.hrtime() // 1000000 + 2000
			owner.t.wait_until(function() return uv.hrtime() // 1000000 > until_ms end)
			assert(uv.kill(engine, "sigcont"))
			owner.p:errline "^pinged 8$"
			assert.equal(0, owner:count "ended 0")
			owner:assert_engine_lives()
		end, { timeout = "0.6" })
	end)
end)

describe("an engine in a folder whose name has blanks and colons", function()
	it("has its library in QEMU all the same, as one that QEMU's user cannot enter", function()
		local function engine(t)
			local folder = t.tmpdir() .. "/a b:c"
			assert(uv.fs_mkdir(folder, tonumber("700", 8)))
			files.copy(paths.engine, folder .. "/gridcentric-engine", EXECUTABLE)
			files.copy(paths.preload, folder .. "/gridcentric-preload.so", EXECUTABLE)
			return folder .. "/gridcentric-engine"
		end
		with("honest", function(owner)
			owner:ready()
			owner.p:errline "^preloaded: gridcentric%-preload"
		end, { engine = engine })
	end)

	it("says what is missing where the library is", function()
		async.run(function(t)
			local folder = t.tmpdir()
			files.copy(paths.engine, folder .. "/gridcentric-engine", EXECUTABLE)
			local p = t.spawn { "lua5.4", paths.scripts .. "/backend.lua", tostring(PORT), make_image(t),
				stdin = true, env = { GRIDCENTRIC_ENGINE = folder .. "/gridcentric-engine" } }
			assert.not_equal(0, (p:wait()))
			assert.matches("gridcentric%-preload%.so: No such file", p.stderr)
		end)
	end)
end)
