-- The ledger: what is kept, and that nothing that happens to the file stops an engine.
-- limit: 300 s

local json = require "dkjson"
local uv = require "luv"
local async = require "spec.support.async"
local faults = require "spec.support.faults"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"

local keep_rows = 100000
local max_text = 16384

-- An engine's parts with a ledger; its record is locked, as others look at that.
local function open(t, engine)
	local p = parts.open(t)
	assert(p.core:state(true))
	assert(p.core:scheduler(engine or "spec-1"))
	p.core:ledger(engine or "spec-1")
	return p
end

-- The same in a process of its own.
local function spawn(t, engine, env)
	local other = parts.spawn(t, env)
	assert.equal(t.state, (other:run("core:state(true)")))
	assert.equal("true", (other:run(("core:scheduler(%q)"):format(engine))))
	other:run(("core:ledger(%q)"):format(engine))
	return other
end

-- What a reader, in a process of its own as always, is shown.
local function read(t, table, name, limit, after, decision)
	local p = t.spawn{ "lua5.4", paths.scripts .. "/engine_parts.lua",
		stdin = ("core:state(false)\ncore:print(%q, %s, %d, %d, %d)\n"):format(
			table, name and ("%q"):format(name) or "nil", limit or 0, after or 0, decision or -1) }
	assert.equal(0, (p:wait()), p:describe())
	local text = p.stdout:match("^=\t[^\n]*\n(%[.*%])\n=\ttrue\n$")
	assert(text, p:describe())
	return assert(json.decode(text))
end

-- The values of one member in all rows.
local function all(rows, member)
	local values = {}
	for i, row in ipairs(rows) do values[i] = row[member] end
	return values
end

-- Ends such a process, whatever happened; gives what it wrote to stderr.
local function finish(other)
	other.process:close_stdin()
	assert.equal(0, (other.process:wait()), other.process:describe())
	return other.process.stderr
end

local function assert_grants(p)
	local id = p.core:request{ maxcpus = 1, minvms = 1, mincpuspervm = 1, timeout_ms = 0 }
	assert.equal("granted", (p:answer(id)))
end

-- Waits until a reader finds an event with that text.
local function wait_for_event(t, text, deadline_ms)
	t.wait_until(function()
		for _, row in ipairs(read(t, "events")) do
			if row.text == text then return true end
		end
	end, deadline_ms, "the event " .. text)
end

local function files(folder, pattern)
	local found = {}
	for name in uv.fs_scandir_next, assert(uv.fs_scandir(folder)) do
		if name:find(pattern) then found[#found + 1] = name end
	end
	table.sort(found)
	return found
end

describe("the ledger", function()
	it("keeps tickets, with their last status and both times", function()
		async.run(function(t)
			local p = open(t)
			p.core:ticket("a", "pending", 0, 0, 2, 0)
			p.core:ticket("b", "pending", 0, 0, 1, 3)
			p.core:ticket("a", "granted", 8, 4, 2, 0)
			p.core:ticket("a", "released", 2, 1, 2, 0)
			p.core:ticket("b", "denied", 0, 0, 1, 3)
			p.core:close_ledger()
			local rows = read(t, "tickets")
			local now = os.time() * 1000
			for _, row in ipairs(rows) do
				assert.is_true(math.abs(row.created - now) < 60000 and row.changed >= row.created)
				row.created, row.changed = nil, nil
			end
			assert.same({
				{ engine = "spec-1", uuid = "a", status = "released", cpus = 2, vms = 1,
					mincpuspervm = 2, owner = 0 },
				{ engine = "spec-1", uuid = "b", status = "denied", cpus = 0, vms = 0,
					mincpuspervm = 1, owner = 3 },
			}, rows)
		end)
	end)

	it("keeps domains; what is not known is null", function()
		async.run(function(t)
			local p = open(t)
			p.core:domain(0, 100, "ended", "localhost", "", "", -1)
			p.core:domain(1, 0, "starting", "localhost", "", "a", -1)
			p.core:domain(1, 101, "ended", "localhost", "80=127.64.0.1:80", "a", 256)
			p.core:close_ledger()
			local rows = read(t, "domains")
			for _, row in ipairs(rows) do row.created, row.changed = nil, nil end
			assert.same({
				{ engine = "spec-1", vmid = 0, pid = 100, state = "ended", host = "localhost" },
				{ engine = "spec-1", vmid = 1, pid = 101, state = "ended", host = "localhost",
					endpoints = "80=127.64.0.1:80", ticket = "a", status = 256 },
			}, rows)
		end)
	end)

	it("keeps events, with any text, and JSON that is JSON", function()
		async.run(function(t)
			local p = open(t)
			p.core:event("one", -1, "", "")
			p.core:event("two", 7, 'a "quoted" \\ text\nof <two> lines\1\255', '{"n": [1, 2.5, null]}')
			p.core:event("three", 0, ("ä"):rep(max_text), "{broken")
			p.core:event("four", 0, "", '"' .. ("x"):rep(max_text) .. '"')
			p.core:close_ledger()
			local rows = read(t, "events")
			assert.same({ "one", "two", "three", "four" }, all(rows, "what"))
			assert.same({ 1, 2, 3, 4 }, all(rows, "id"))
			assert.same({ nil, 7, 0, 0 }, all(rows, "vmid"))
			assert.equal('a "quoted" \\ text\nof <two> lines??', rows[2].text)
			assert.same({ n = { 1, 2.5 } }, rows[2].json)
			assert.equal(("ä"):rep(max_text // 2), rows[3].text)
			assert.is_nil(rows[1].json or rows[1].text or rows[3].json or rows[4].json)
		end)
	end)

	it("is written a moment after, without being closed", function()
		async.run(function(t)
			local p = open(t)
			p.core:event("now", -1, "soon", "")
			wait_for_event(t, "soon")
		end)
	end)

	it("can be read only by us", function()
		async.run(function(t)
			open(t).core:close_ledger()
			assert.equal(384, assert(uv.fs_stat(t.state .. "/ledger.db")).mode & 511) -- 0600
		end)
	end)

	it("keeps the last rows only #slow", function()
		async.run(function(t)
			local p = open(t)
			local total = keep_rows + 5000
			for i = 1, total, 5000 do
				for j = i, i + 4999 do p.core:event("many", j, "", "") end
				p.core:event("mark", -1, "up to " .. i, "")
				t.wait_until(function() -- or the queue would be full
					local row = read(t, "events", nil, 1)[1]
					return row and row.text == "up to " .. i
				end)
			end
			p.core:close_ledger()
			uv.update_time() -- the loop has not turned for long
			local rows = read(t, "events")
			assert.is_true(#rows <= keep_rows + 1000 and #rows >= keep_rows, #rows)
			assert.equal(total - 4999, tonumber(rows[#rows].text:match("%d+")))
		end)
	end)
end)

describe("a reader", function()
	it("gets an empty array where there is no ledger, and makes none", function()
		async.run(function(t)
			assert.same({}, read(t, "events"))
			assert.same({}, files(t.state, "ledger"))
		end)
	end)

	it("gets the last rows, the newest last, of one engine or of all", function()
		async.run(function(t)
			local p, q = open(t, "first-1"), open(t, "second-2")
			for i = 1, 5 do p.core:event("e", i, "", "") end
			p.core:close_ledger()
			for i = 6, 10 do q.core:event("e", i, "", "") end
			q.core:close_ledger()
			assert.same({ 8, 9, 10 }, all(read(t, "events", nil, 3), "vmid"))
			assert.same({ 3, 4, 5 }, all(read(t, "events", "first-1", 3), "vmid"))
			assert.equal(10, #read(t, "events"))
			assert.same({}, read(t, "events", "third-3"))
		end)
	end)

	it("is shown those of a service, whichever engine it had", function()
		async.run(function(t)
			for i, engine in ipairs { "chat-1", "chat-22", "chat-2-3", "cat-4" } do
				local p = open(t, engine)
				p.core:event("ready", i, "", "")
				p.core:close_ledger()
				p:close()
			end
			assert.same({ 1, 2 }, all(read(t, "events", "chat"), "vmid"))
			assert.same({ 3 }, all(read(t, "events", "chat-2"), "vmid"))
		end)
	end)

	it("is shown what came after an id, and all where the file does not have it yet", function()
		async.run(function(t)
			local p = open(t)
			for i = 1, 4 do p.core:event("ready", i, "", "") end
			p.core:close_ledger()
			assert.same({ 3, 4 }, all(read(t, "events", nil, 0, 2), "vmid"))
			assert.same({}, read(t, "events", nil, 0, 4))
			assert.same({ 1, 2, 3, 4 }, all(read(t, "events", nil, 0, 9), "vmid"))
		end)
	end)

	it("is shown a decision and what came of it", function()
		async.run(function(t)
			local p = open(t)
			p.core:event("decision", -1, "first", '{"id":1}')
			p.core:event("ready", 1, "by the first", '{"decision":1}')
			p.core:event("decision", -1, "second", '{"id":2}')
			p.core:event("failed", -1, "by the second", '{"decision":2}')
			p.core:event("other", -1, "by none", '{"id":1}')
			p.core:event("other", -1, "by none", "no JSON")
			p.core:close_ledger()
			assert.same({ "first", "by the first" }, all(read(t, "events", nil, 0, 0, 1), "text"))
			assert.same({ "first", "second" }, all(read(t, "events", nil, 0, 0, 0), "text"))
			assert.same({ "second" }, all(read(t, "events", nil, 1, 0, 0), "text"))
		end)
	end)

	it("is told which table there is not", function()
		async.run(function(t)
			local p = parts.open(t)
			p.core:state(true)
			assert.same({ nil, "no table secrets in the ledger", "EINVAL" }, { p.core:print("secrets") })
		end)
	end)

	it("is told that the file is corrupt, and leaves it alone", function()
		async.run(function(t)
			assert(io.open(t.state .. "/ledger.db", "w")):write(("junk"):rep(5000)):close()
			local p = parts.open(t)
			p.core:state(false)
			assert.same({ nil, t.state .. "/ledger.db: file is not a database", "EUCLEAN" },
				{ p.core:print("events") })
			assert.same({ "ledger.db" }, files(t.state, "ledger"))
		end)
	end)
end)

describe("what an engine left open", function()
	local function fill(engine)
		for uuid, status in pairs{ a = "pending", b = "granted", c = "active", d = "released" } do
			engine:run(("core:ticket(%q, %q, 1, 1, 1, 0)"):format(uuid, status))
		end
		for vmid, state in ipairs{ "starting", "ready", "stopping", "ended" } do
			engine:run(("core:domain(%d, %d, %q, 'localhost', '', '', -1)"):format(vmid, vmid, state))
		end
		engine:run("core:event('full', -1, 'full', '')")
	end

	local function assert_lost(t)
		local statuses = {}
		for _, row in ipairs(read(t, "tickets")) do statuses[row.uuid] = row.status end
		assert.same({ a = "lost", b = "lost", c = "lost", d = "released" }, statuses)
		assert.same({ "lost", "lost", "lost", "ended" }, all(read(t, "domains"), "state"))
	end

	it("is lost when it was killed, and not before", function()
		async.run(function(t)
			local other = spawn(t, "other-2")
			fill(other)
			wait_for_event(t, "full")
			assert.same({ "starting", "ready", "stopping", "ended" }, all(read(t, "domains"), "state"))
			other.process:kill("sigkill")
			other.process:wait()
			assert_lost(t)
		end)
	end)

	it("is lost when it ended", function()
		async.run(function(t)
			local other = spawn(t, "other-2")
			fill(other)
			other:run("core:close()")
			assert_lost(t)
			other.process:kill("sigkill")
			other.process:wait()
		end)
	end)

	it("is lost when another one begins with the same name", function()
		async.run(function(t)
			local other = spawn(t, "spec-1")
			fill(other)
			wait_for_event(t, "full")
			other.process:kill("sigkill")
			other.process:wait()
			local p = open(t, "spec-1")
			p.core:domain(1, 11, "ready", "localhost", "", "", -1)
			p.core:event("again", -1, "again", "")
			wait_for_event(t, "again")
			assert.same({ "lost", "lost", "lost", "ended", "ready" }, all(read(t, "domains"), "state"))
		end)
	end)
end)

describe("the ledger's file", function()
	it("is put aside when it is no database, and made anew", function()
		async.run(function(t)
			assert(io.open(t.state .. "/ledger.db", "w")):write(("junk"):rep(5000)):close()
			local other = spawn(t, "other-2")
			other:run("core:event('e', -1, 'kept', '')")
			local name = other.process:errline("/ledger.db is corrupt; put aside as (.*)$")
			wait_for_event(t, "kept")
			assert.matches("^ledger.db.corrupt%-%d+$", name)
			assert.equal(20000, assert(uv.fs_stat(t.state .. "/" .. name)).size)
			finish(other)
		end)
	end)

	it("survives any page of it being overwritten", function()
		async.run(function(t)
			local page, n = 4096, 1
			repeat
				local p = open(t)
				p.core:ticket("a", "released", 1, 1, 1, 0)
				p.core:domain(1, 1, "ended", "localhost", "", "", -1)
				p.core:event("e", 1, "", "")
				p:close()
				local size = assert(uv.fs_stat(t.state .. "/ledger.db")).size
				local file = assert(io.open(t.state .. "/ledger.db", "r+"))
				file:seek("set", (n - 1) * page)
				file:write(("\xa5"):rep(page))
				file:close()
				local other = spawn(t, "other-2")
				for _, line in ipairs{
					"core:ticket('a', 'released', 1, 1, 1, 0)",
					"core:domain(1, 1, 'ended', 'localhost', '', '', -1)",
					"core:event('e', 1, 'kept', '')",
				} do other:run(line) end
				finish(other)
				local texts = all(read(t, "events"), "text")
				assert.equal("kept", texts[#texts], "page " .. n)
				for _, name in ipairs(files(t.state, "^ledger")) do uv.fs_unlink(t.state .. "/" .. name) end
				n = n + 1
			until n > size // page
			assert.is_true(n > 8)
		end)
	end)

	it("is made anew when it was removed", function()
		async.run(function(t)
			local p = open(t)
			p.core:event("e", -1, "first", "")
			wait_for_event(t, "first")
			for _, name in ipairs(files(t.state, "^ledger")) do uv.fs_unlink(t.state .. "/" .. name) end
			p.core:event("e", -1, "second", "")
			wait_for_event(t, "second")
			assert.same({ "second" }, all(read(t, "events"), "text"))
		end)
	end)

	it("is put aside once by two engines, and both go on in the new one", function()
		async.run(function(t)
			assert(io.open(t.state .. "/ledger.db", "w")):write(("junk"):rep(5000)):close()
			local others = { spawn(t, "other-2"), spawn(t, "third-3") }
			for i, other in ipairs(others) do other:run(("core:event('e', -1, 'of %d', '')"):format(i)) end
			t.wait_until(function() return files(t.state, "corrupt")[1] end)
			wait_for_event(t, "of 1")
			wait_for_event(t, "of 2")
			for _, other in ipairs(others) do finish(other) end
			assert.equal(1, #files(t.state, "^ledger.db.corrupt%-%d+$"))
		end)
	end)

	it("is told once when it cannot be opened, and kept again when it can", function()
		async.run(function(t)
			uv.fs_mkdir(t.state .. "/ledger.db", 448)
			local other = spawn(t, "other-2")
			assert.equal("gridcentric-engine: ledger: " .. t.state
				.. "/ledger.db: Is a directory; going on without history", other.process:errline("."))
			for _ = 1, 3 do other:run("core:event('e', -1, 'dropped', '')") end
			uv.fs_rmdir(t.state .. "/ledger.db")
			assert.equal("gridcentric-engine: ledger: kept again", other.process:errline("."))
			other:run("core:event('e', -1, 'kept', '')")
			wait_for_event(t, "kept")
			assert.same({ "3 entries are missing", "kept" }, all(read(t, "events"), "text"))
			finish(other)
		end)
	end)

	it("on a full disk does not stop the engine, and has a gap afterwards #root", function()
		if parts.needs_mounts() then pending(parts.needs_mounts()) end
		async.run(function(t)
			local disk = t.tmpdir()
			local p = t.spawn{ "unshare", "-m", "sh", "-ec", ("mount -t tmpfs -o size=400k none '%s'\n"
				.. "exec lua5.4 '%s/engine_parts.lua'"):format(disk, paths.scripts),
				env = { GRIDCENTRIC_STATE = disk .. "/state" }, stdin = true }
			local function run(line)
				assert(p:write(line .. "\n"))
				return p:line("^=\t(.*)")
			end
			run("core:state(true)")
			run("core:scheduler('spec-1')")
			run("core:ledger('spec-1')")
			run("core:event('e', -1, 'first', '')")
			t.wait_until(function()
				run("core:print('events')")
				return p.stdout:find("first", 1, true)
			end)
			run(("os.execute('head -c 1000000 /dev/zero >%s/fill 2>/dev/null')"):format(disk))
			for i = 1, 50 do
				run(("core:event('e', %d, ('x'):rep(4000), '')"):format(i))
			end
			assert.matches("/state/ledger.db: .*[Ff]ull.*; going on without history$", p:errline("."))
			run(("os.execute('rm %s/fill')"):format(disk))
			assert.matches("kept again", p:errline("."))
			run("core:event('e', -1, 'after', '')")
			run("core:close_ledger()")
			run("core:print('events')")
			assert.matches("%d+ entries are missing", p.stdout)
			assert.matches("after", p.stdout)
			p:close_stdin()
			assert.equal(0, (p:wait()))
		end)
	end)

	it("held by another process does not hold up the engine, and gets all afterwards", function()
		async.run(function(t)
			local p, other = open(t), parts.spawn(t)
			p.core:event("e", -1, "first", "")
			wait_for_event(t, "first")
			other:run("core:state(true)")
			other:run("core:hold_ledger()")
			other.process:kill("sigstop")
			p.core:event("e", -1, "second", "")
			assert_grants(p)
			other.process:kill("sigcont")
			other:run("core:drop_ledger()")
			wait_for_event(t, "second")
			finish(other)
		end)
	end)

	it("held for long costs a gap, which is said once, not memory", function()
		async.run(function(t)
			local p, other = spawn(t, "spec-1"), parts.spawn(t)
			p:run("core:event('e', -1, 'first', '')")
			wait_for_event(t, "first")
			other:run("core:state(true)")
			other:run("core:hold_ledger()")
			for _ = 1, 600 do -- 9.6 MB
				p:run(("core:event('e', -1, ('x'):rep(%d), '')"):format(max_text))
			end
			other:run("core:drop_ledger()")
			assert.equal("gridcentric-engine: ledger: the disk is too slow; entries are dropped\n",
				finish(p))
			local texts = all(read(t, "events"), "text")
			assert.equal("first", texts[1])
			local gap = texts[#texts]:match("^(%d+) entries are missing$")
			assert.equal(600, #texts - 2 + tonumber(gap))
			finish(other)
		end)
	end)

	it("is sound, and has the first of the rows, when the engine was killed while it wrote", function()
		async.run(function(t)
			for round = 1, 3 do
				local other = spawn(t, "spec-" .. round)
				other:run("core:event('e', 1, 'first', '')")
				wait_for_event(t, "first")
				assert(other.process:write("many(30000)\n"))
				t.wait_until(function() return #read(t, "events", "spec-" .. round) > 1 end)
				other.process:kill("sigkill")
				other.process:wait()
				for i, row in ipairs(read(t, "events", "spec-" .. round)) do
					assert.equal(i, row.vmid)
				end
			end
		end)
	end)
end)

describe("a disk that does not answer", function()
	-- An engine's parts on it, and the file that stands for it.
	local function on_slow_disk(t)
		local gate = t.tmpdir() .. "/gate"
		local other = spawn(t, "slow-1", faults.env("disk", gate))
		other:run("core:event('e', -1, 'first', '')")
		wait_for_event(t, "first")
		assert(io.open(gate, "w")):close()
		return other, gate
	end

	it("holds up no ticket, and costs no row", function()
		async.run(function(t)
			local other, gate = on_slow_disk(t)
			for i = 1, 50 do
				other:run(("core:ticket('t%d', 'pending', 0, 0, 1, 0)"):format(i))
				other:run(("core:event('e', %d, 'meanwhile', '')"):format(i))
				local id = other:run "core:request{ maxcpus = 1, minvms = 1, mincpuspervm = 1, timeout_ms = 0 }"
				assert.equal("granted", (other:answer(id)))
			end
			assert.equal(1, #read(t, "events"))
			assert(uv.fs_unlink(gate))
			wait_for_event(t, "meanwhile")
			assert.equal("", finish(other))
			assert.equal(51, #read(t, "events"))
			assert.equal(50, #read(t, "tickets"))
		end)
	end)

	it("does not keep the engine from ending", function()
		async.run(function(t)
			local other = on_slow_disk(t)
			other:run("core:event('e', -1, 'lost', '')")
			assert.equal("gridcentric-engine: ledger: the disk does not answer; the last entries are "
				.. "lost\n", finish(other))
			assert.equal(1, #read(t, "events"))
		end)
	end)
end)
