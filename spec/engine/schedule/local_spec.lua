-- The local scheduler: arithmetic, order, and the capacity that engines share.

local uv = require "luv"
local async = require "spec.support.async"
local parts = require "spec.support.parts"

-- A scheduler on a machine with so many CPUs.
local function open(t, cpus, name)
	uv.os_setenv("GRIDCENTRIC_CPUS", tostring(cpus or 8))
	t.defer(function() uv.os_unsetenv("GRIDCENTRIC_CPUS") end)
	local p = parts.open(t)
	assert(p.core:state(true))
	assert(p.core:scheduler(name or "spec-1"))
	return p
end

-- The same in a process of its own.
local function spawn(t, name, cpus)
	local other = parts.spawn(t, { GRIDCENTRIC_CPUS = tostring(cpus or 8) })
	assert.equal(t.state, (other:run("core:state(true)")))
	assert.equal("true", (other:run(("core:scheduler(%q)"):format(name))))
	return other
end

local function end_process(other)
	other.process:close_stdin()
	assert.equal(0, (other.process:wait()))
end

local function ask(p, maxcpus, minvms, mincpuspervm, timeout_ms)
	return p.core:request{
		maxcpus = maxcpus, minvms = minvms, mincpuspervm = mincpuspervm,
		timeout_ms = timeout_ms or 5000,
	}
end

local function ask_other(other, maxcpus, minvms, mincpuspervm, timeout_ms)
	return (other:run(("core:request{ maxcpus = %d, minvms = %d, mincpuspervm = %d, timeout_ms = %d }")
		:format(maxcpus, minvms, mincpuspervm, timeout_ms or 5000)))
end

local function granted(p, id, vms)
	local what, got = p:answer(id)
	assert.equal("granted", what, got)
	assert.equal(vms, got)
end

local function denied(p, id, pattern)
	local what, text, code = p:answer(id)
	assert.equal("denied", what)
	assert.matches(pattern, text)
	assert.equal("GC_EDENIED", code)
end

-- Bytes of which there is room for two, and a half.
local function two_fifths()
	local available = 0
	for line in io.lines("/proc/meminfo") do
		available = tonumber(line:match("MemAvailable:%s*(%d+)")) or available
	end
	return available * 1024 // 5 * 2
end

local function ask_memory(p, each)
	return p.core:request{ maxcpus = 8, minvms = 1, mincpuspervm = 1, memory = each, timeout_ms = 0 }
end

local function free(p) return (select(2, p.core:capacity())) end

-- Answers of both schedulers are due now: whoever has none waits.
local function settled(t, ...)
	local turns = 0
	for _, p in ipairs{ ... } do p.core:capacity() end
	t.wait_until(function()
		turns = turns + 1
		return turns == 3
	end)
end

describe("a request", function()
	-- max CPUs, min VMs, min CPUs per VM of 8 free CPUs -> VMs
	for _, case in ipairs{
		{ 1, 1, 1, 1 }, { 8, 1, 1, 8 }, { 100, 1, 1, 8 }, { 8, 1, 2, 4 }, { 7, 1, 2, 3 },
		{ 100, 2, 3, 2 }, { 8, 8, 1, 8 }, { 3, 1, 3, 1 }, { 100, 1, 8, 1 },
	} do
		local text = ("%d CPUs at most, %d VMs at least, %d CPUs each"):format(table.unpack(case))
		it("for " .. text .. " gets " .. case[4] .. " VMs of 8 CPUs", function()
			async.run(function(t)
				local p = open(t)
				local id = ask(p, case[1], case[2], case[3])
				local what, vms, cpus, nplacements, host = p:answer(id)
				assert.same({ "granted", case[4], case[4] * case[3], case[4], "localhost" },
					{ what, vms, cpus, nplacements, host })
				assert.equal(8 - cpus, free(p))
			end)
		end)
	end

	it("is answered later, never from inside", function()
		async.run(function(t)
			local p = open(t)
			local good, bad = ask(p, 8, 1, 8, 0), ask(p, 1, 1, 1, 0)
			assert.same({}, p.events)
			granted(p, good, 1)
			denied(p, bad, "1 CPUs needed, 0 of 8 free$")
		end)
	end)

	for _, case in ipairs{
		{ { 1, 2, 1 },
			"2 VMs with 1 CPUs each are 2 CPUs, more than the maximum of 1 that was asked for" },
		{ { 2, 1, 3 },
			"1 VMs with 3 CPUs each are 3 CPUs, more than the maximum of 2 that was asked for" },
		{ { 100, 3, 3 }, "3 VMs with 3 CPUs each are 9 CPUs, more than the 8 of this machine" },
		{ { 2147483647, 2147483647, 1 }, "are 2147483647 CPUs, more than the 8 of this machine" },
		{ { 2147483647, 2147483647, 2147483647 }, "are 4611686014132420609 CPUs, more than the maximum" },
	} do
		it("fails at once when " .. case[2], function()
			async.run(function(t)
				local id, text, code = ask(open(t), table.unpack(case[1]))
				assert.is_nil(id)
				assert.matches(case[2], text, 1, true)
				assert.equal("GC_EIMPOSSIBLE", code)
			end)
		end)
	end

	it("fails at once with numbers that make no sense", function()
		async.run(function(t)
			local p = open(t)
			for _, args in ipairs{
				{ 0, 1, 1 }, { 1, 0, 1 }, { 1, 1, 0 }, { 1, 1, 1, -1 }, { -1, -1, -1 },
			} do
				assert.equal("EINVAL", (select(3, ask(p, table.unpack(args)))))
			end
		end)
	end)

	it("is denied after its timeout with what was free", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask(p, 6, 6, 1), 6)
			denied(p, ask(p, 8, 3, 1, 20),
				"^no resources within 20 ms: 3 CPUs needed, 2 of 8 free$")
			denied(p, ask(p, 8, 3, 1, 0), "^no resources: 3 CPUs needed, 2 of 8 free$")
		end)
	end)

	it("needs memory for each of its VMs", function()
		async.run(function(t)
			local p = open(t)
			local much = 1 << 50 -- bytes
			denied(p, p.core:request{ maxcpus = 2, minvms = 2, mincpuspervm = 1, memory = much },
				"^no resources: 2147483648 MB of memory needed, %d+ MB available$")
			granted(p, p.core:request{ maxcpus = 2, minvms = 2, mincpuspervm = 1, memory = 1 }, 2)
		end)
	end)

	it("gets fewer VMs where memory is the bound", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask_memory(p, two_fifths()), 2)
		end)
	end)
end)

describe("memory", function()
	it("that was promised is not promised again, however soon or late", function()
		async.run(function(t)
			local p = open(t)
			local each = two_fifths()
			granted(p, ask_memory(p, each), 2)
			for _ = 1, 20 do denied(p, ask_memory(p, each), "MB of memory needed, %d+ MB available$") end
		end)
	end)

	it("is promised until its VM has started, or gives it back", function()
		async.run(function(t)
			local p = open(t)
			local each = two_fifths()
			local first = ask_memory(p, each)
			granted(p, first, 2)
			p.core:started(first, 0) -- it takes none, so that all is free again
			granted(p, ask_memory(p, each), 1)
			denied(p, ask_memory(p, each), "MB of memory needed")
			p.core:release(first, 1)
			granted(p, ask_memory(p, each), 1)
		end)
	end)

	it("is shared by engines", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			local each = two_fifths()
			local first = ask_memory(p, each)
			granted(p, first, 2)
			local id = other:run(("core:request{ maxcpus = 8, minvms = 1, mincpuspervm = 1, "
				.. "timeout_ms = 60000, memory = %d }"):format(each))
			settled(t, p)
			p.core:started(first, 1)
			p.core:started(first, 0)
			assert.equal("granted", (other:answer(id)))
			end_process(other)
		end)
	end)
end)

describe("the record of an engine", function()
	-- What an engine of another version says, which has other-2's lock.
	local function rewrite(t, text)
		local fd = assert(uv.fs_open(t.state .. "/other-2.lock", "r+", 0))
		assert(uv.fs_ftruncate(fd, 0))
		assert(uv.fs_write(fd, text, 0))
		uv.fs_close(fd)
	end

	it("is read from older and newer versions", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			rewrite(t, ("%10d %20d %20d\n"):format(3, 0, 0))
			assert.equal(5, free(p))
			rewrite(t, ("%10d %20d %20d %20d %10d %s\n"):format(4, 0, 0, 1 << 50, 6, "more"))
			assert.equal(2, free(p)) -- what is reserved counts, where that is more
			denied(p, ask_memory(p, 1 << 20), "1 MB of memory needed, 0 MB available$")
			end_process(other)
		end)
	end)

	it("that makes no sense counts for nothing", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			for _, text in ipairs{ "junk", ("%10d %20d %20d\n"):format(-3, 0, 0),
				("%10d %20d %20d %20d %10d\n"):format(3, 0, 0, -1, 0), ("x"):rep(200) } do
				rewrite(t, text)
				assert.equal(8, free(p))
			end
			end_process(other)
		end)
	end)

	it("can be read by version 1: its fields stand first, as wide as ever", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask(p, 3, 3, 1), 3)
			local file = assert(io.open(t.state .. "/spec-1.lock"))
			assert.equal(("%10d %20d %20d"):format(3, 0, 0), file:read(52))
			file:close()
		end)
	end)
end)

describe("the queue", function()
	it("is served in order of arrival: nobody overtakes", function()
		async.run(function(t)
			local p = open(t)
			local first = ask(p, 6, 6, 1)
			granted(p, first, 6)
			local big, small = ask(p, 4, 4, 1), ask(p, 1, 1, 1)
			settled(t, p)
			assert.is_nil(p.events[big])
			assert.is_nil(p.events[small])
			p.core:release(first, 2)
			granted(p, big, 4)
			assert.is_nil(p.events[small])
			p.core:release(first, 1)
			granted(p, small, 1)
			assert.equal(0, free(p))
		end)
	end)

	it("says to one behind that others wait, and goes on when its first is denied", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask(p, 6, 6, 1), 6)
			local big = ask(p, 4, 4, 1, 100)
			local late, small = ask(p, 1, 1, 1, 10), ask(p, 1, 1, 1)
			denied(p, late, "others have waited for longer; 1 CPUs needed, 2 of 8 free$")
			assert.is_nil(p.events[small])
			denied(p, big, "4 CPUs needed, 2 of 8 free$")
			granted(p, small, 1)
		end)
	end)

	it("goes on when its first is cancelled", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask(p, 6, 6, 1), 6)
			local big, small = ask(p, 4, 4, 1), ask(p, 1, 1, 1)
			settled(t, p)
			p.core:cancel(big)
			granted(p, small, 1)
			settled(t, p)
			assert.is_nil(p.events[big])
			p.core:cancel(small) -- answered already: does nothing
		end)
	end)

	it("takes back all, part by part", function()
		async.run(function(t)
			local p = open(t)
			local id = ask(p, 8, 1, 2)
			granted(p, id, 4)
			for left = 3, 0, -1 do
				p.core:release(id, 1)
				assert.equal(8 - left * 2, free(p))
			end
		end)
	end)
end)

describe("the number of CPUs", function()
	it("is 256 for each core that may be used, if not said", function()
		async.run(function(t)
			local p = open(t, "")
			local nproc = t.spawn{ "nproc", env = { OMP_NUM_THREADS = false } }
			nproc:wait()
			local expected = 256 * tonumber(nproc.stdout)
			assert.same({ expected, expected }, { p.core:capacity() })
		end)
	end)

	for _, text in ipairs{ "0", "-1", "many", "8x", "1000000001", "99999999999999999999" } do
		it("cannot be " .. text, function()
			async.run(function(t)
				uv.os_setenv("GRIDCENTRIC_CPUS", text)
				t.defer(function() uv.os_unsetenv("GRIDCENTRIC_CPUS") end)
				local p = parts.open(t)
				p.core:state(true)
				local ok, err, code = p.core:scheduler("spec-1")
				assert.is_nil(ok)
				assert.equal("EINVAL", code)
				assert.equal("GRIDCENTRIC_CPUS: not a number from 1 to 1000000000: " .. text, err)
			end)
		end)
	end
end)

describe("an engine's record", function()
	it("is there while the engine is", function()
		async.run(function(t)
			local p = open(t)
			assert(uv.fs_stat(t.state .. "/spec-1.lock"))
			p:close()
			assert.is_nil((uv.fs_stat(t.state .. "/spec-1.lock")))
		end)
	end)

	it("cannot be had twice", function()
		async.run(function(t)
			open(t)
			local second = parts.open(t)
			second.core:state(true)
			assert.same({ nil, t.state .. ": spec-1.lock: an engine of this name runs", "EBUSY" },
				{ second.core:scheduler("spec-1") })
		end)
	end)

	it("of a dead engine is removed by who counts, other files are not", function()
		async.run(function(t)
			local other = spawn(t, "dead-7")
			granted(other, ask_other(other, 8, 8, 1), "8")
			other.process:kill("sigkill")
			other.process:wait()
			local foreign = { "Cargo.lock", "yarn-2.lock", "notes-1.lock.txt" }
			for _, name in ipairs(foreign) do
				assert(io.open(t.state .. "/" .. name, "w")):write("something else\n"):close()
			end
			assert(uv.fs_stat(t.state .. "/dead-7.lock"))
			assert.equal(8, free(open(t)))
			assert.is_nil((uv.fs_stat(t.state .. "/dead-7.lock")))
			for _, name in ipairs(foreign) do assert(uv.fs_stat(t.state .. "/" .. name)) end
		end)
	end)

	it("that a dead engine of the same name left is taken over", function()
		async.run(function(t)
			local other = spawn(t, "spec-1")
			granted(other, ask_other(other, 8, 8, 1), "8")
			other.process:kill("sigkill")
			other.process:wait()
			assert.equal(8, free(open(t)))
		end)
	end)
end)

describe("engines with one state folder", function()
	it("share its capacity, and wake each other", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			local theirs = ask_other(other, 6, 6, 1)
			granted(other, theirs, "6")
			assert.equal(2, free(p))
			local ours = ask(p, 4, 4, 1)
			settled(t, p)
			assert.is_nil(p.events[ours])
			other:run(("core:release(%s, 2)"):format(theirs))
			granted(p, ours, 4)
			assert.equal(0, free(p))
			end_process(other)
			assert.equal(4, free(p))
		end)
	end)

	it("do not share with those of another folder", function()
		async.run(function(t)
			local p = open(t)
			granted(p, ask(p, 8, 8, 1), 8)
			uv.os_setenv("GRIDCENTRIC_STATE", t.tmpdir())
			local second = open(t)
			granted(second, ask(second, 8, 8, 1), 8)
		end)
	end)

	it("get what one held that was killed, as soon as it is dead", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			granted(other, ask_other(other, 8, 8, 1), "8")
			local ours = ask(p, 8, 8, 1)
			settled(t, p)
			assert.is_nil(p.events[ours])
			other.process:kill("sigkill")
			granted(p, ours, 8)
			other.process:wait()
		end)
	end)

	it("are served in order of arrival", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			local held = ask(p, 8, 8, 1)
			granted(p, held, 8)
			local theirs = ask_other(other, 6, 6, 1)
			other:run("core:turn(1000)") -- it is in the queue now
			local ours = ask(p, 2, 2, 1)
			p.core:release(held, 4)
			settled(t, p)
			assert.is_nil(p.events[ours]) -- four are free, but the other came first
			p.core:release(held, 4)
			granted(other, theirs, "6")
			granted(p, ours, 2)
			end_process(other)
		end)
	end)

	it("pass over one that waits and was stopped #slow", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			local held = ask(p, 8, 8, 1)
			granted(p, held, 8)
			ask_other(other, 6, 6, 1)
			other:run("core:turn(1000)") -- it is in the queue now
			other.process:kill("sigstop")
			p.core:release(held, 8)
			granted(p, ask(p, 2, 2, 1, 60000), 2)
			other.process:kill("sigkill")
			other.process:wait()
		end)
	end)

	it("wait no longer than their timeout for one that was stopped while it counted", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			other:run("core:hold_capacity()")
			other.process:kill("sigstop")
			denied(p, ask(p, 1, 1, 1, 50),
				"^no resources within 50 ms: another engine holds the lock on the capacity$")
			denied(p, ask(p, 1, 1, 1, 0), "^no resources: another engine holds the lock")
			local waiting = ask(p, 1, 1, 1)
			settled(t, p)
			assert.is_nil(p.events[waiting])
			other.process:kill("sigcont")
			other:run("core:drop_capacity()")
			granted(p, waiting, 1)
			end_process(other)
		end)
	end)

	it("wait a moment beyond the timeout for one that is just counting", function()
		async.run(function(t)
			local p, other = open(t), parts.open(t)
			other.core:state(true)
			other.core:hold_capacity()
			local id = ask(p, 1, 1, 1, 0)
			p.core:turn(0)
			other.core:drop_capacity()
			granted(p, id, 1)
		end)
	end)

	it("take nothing when they cannot count the others", function()
		async.run(function(t)
			local p, other = open(t), spawn(t, "other-2")
			local id = ask(p, 1, 1, 1, 0)
			p.core:limit_descriptors(true)
			p.core:turn(0)
			p.core:limit_descriptors(false)
			denied(p, id, "^no resources: CPUs cannot be counted %(Too many open files%)$")
			assert.equal(8, free(p))
			end_process(other)
		end)
	end)

	it("do not wake each other in vain while all wait", function()
		async.run(function(t)
			local p, other, third = open(t), spawn(t, "other-2"), spawn(t, "third-3")
			granted(p, ask(p, 8, 8, 1), 8)
			local theirs, last = ask_other(other, 1, 1, 1, 400), ask_other(third, 1, 1, 1, 400)
			denied(other, theirs, "1 CPUs needed, 0 of 8 free")
			denied(third, last, "1 CPUs needed, 0 of 8 free")
			for _, engine in ipairs{ other, third } do
				assert.is_true(tonumber((engine:run("turns()"))) < 40)
				end_process(engine)
			end
		end)
	end)

	it("lose nothing when they are killed at any moment #slow", function()
		async.run(function(t)
			local p = open(t)
			for i = 1, 20 do
				local other = spawn(t, "busy-" .. i)
				other:run("busy()")
				t.wait_until(function() return tonumber((other:run("rounds()"))) > 10 * i end)
				other.process:kill("sigkill")
				other.process:wait()
			end
			assert.equal(8, free(p))
			granted(p, ask(p, 8, 8, 1), 8)
		end)
	end)
end)
