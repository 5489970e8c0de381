-- What becomes of programs and their clones when the system refuses something: descriptors,
-- processes, the state folder, the ledger. Each time: a clear error, nothing lost, nothing left.

local core = require "gridcentric.core"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local puppet = require "spec.support.puppet"
local tmp = require "spec.support.tmp"
local uv = require "luv"

if puppet.missing then
	return it("clones", function() pending(puppet.missing) end)
end

-- A program that asks for one ticket and tells what came of it.
local ask = [[
	local gc = require "gridcentric"
	gc.request_ticket(1, 1, 1, 0, function(ticket, err, code)
		print(ticket and "granted" or err, code)
		gc.list_domains(function(domains, again) print(domains and #domains or again) end)
	end)
	require("luv").run()
]]

local function answer_with_state(t, state, before)
	local command = table.move(before or {}, 1, 9, 1, {})
	table.move({ "lua5.4", "-e", ask }, 1, 3, #command + 1, command)
	command.env = { GRIDCENTRIC_STATE = state }
	local p = t.spawn(command)
	assert.same({ 0, 0 }, { p:wait() }, p:describe())
	assert.equal("", p.stderr)
	return p.stdout
end

local function is_root() return uv.getuid() == 0 end

describe("a state folder", function()
	-- each call tells so, and so does the next, which starts another engine
	local function refused(t, state, text, code, before)
		local err = ("%s: state folder %s"):format(code, text)
		assert.equal(("%s\t%s\n%s\n"):format(err, code, err), answer_with_state(t, state, before))
	end

	it("that is a link is refused in the callback", function()
		puppet.run(function(t)
			local link = t.tmpdir() .. "/link"
			uv.fs_symlink(t.state, link)
			refused(t, link, link .. ": is a link", "ELOOP")
		end)
	end)

	it("that others may write to is refused in the callback", function()
		puppet.run(function(t)
			local folder = t.tmpdir()
			uv.fs_chmod(folder, 511) -- 0777
			refused(t, folder, folder .. ": group or others may write to it (mode 0777)", "EPERM")
		end)
	end)

	it("that belongs to somebody else is refused in the callback #root", function()
		if not is_root() then pending("only root can make such a folder") end
		puppet.run(function(t)
			local folder = t.tmpdir()
			uv.fs_chown(folder, 65534, 65534)
			refused(t, folder, folder .. ": belongs to uid 65534, not to uid 0", "EPERM")
		end)
	end)

	it("that is read-only is refused in the callback", function()
		puppet.run(function(t)
			local folder = t.tmpdir()
			uv.fs_chmod(folder, 320) -- 0500
			local plain = is_root() and { "setpriv", "--inh-caps=-all", "--bounding-set=-all" }
			refused(t, folder, folder .. ": not writable: Permission denied", "EACCES", plain or nil)
		end)
	end)

	it("that cannot be made is refused in the callback", function()
		puppet.run(function(t)
			local folder = t.tmpdir() .. "/no/such"
			refused(t, folder, folder .. ": cannot be made: No such file or directory", "ENOENT")
		end)
	end)

	it("that is removed meanwhile takes nothing from those that run", function()
		puppet.run(function(t)
			local folder = t.tmpdir() .. "/state"
			local master = puppet.start(t, { env = { GRIDCENTRIC_STATE = folder } })
			local one = master:clone()
			-- the engine may write to it just then
			t.wait_until(function() return pcall(tmp.remove, folder) end)
			assert.equal(1, one:eval("return gc.vmid()"))
			assert.equal(2, #master:call("list_domains"))
			assert.is_true((master:call("kill", 1)))
		end)
	end)
end)

describe("a ledger", function()
	it("that is corrupt, or no file, does not keep programs from cloning", function()
		for _, spoil in ipairs{
			function(path) io.open(path, "w"):write(("not a database\n"):rep(500)):close() end,
			function(path) assert(uv.fs_mkdir(path, 448)) end,
		} do
			puppet.run(function(t)
				spoil(t.state .. "/ledger.db")
				local master = puppet.start(t)
				local one, two = master:clone(2)
				assert.equal(1, one:eval("return gc.vmid()"))
				assert.equal(2, two:eval("return gc.vmid()"))
			end)
		end
	end)

	it("that becomes corrupt while it is used does not either", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			master:clone()
			t.wait_until(function() return uv.fs_stat(t.state .. "/ledger.db") end)
			for name in uv.fs_scandir_next, (assert(uv.fs_scandir(t.state))) do
				if name:find("^ledger") then
					io.open(t.state .. "/" .. name, "r+"):write(("\255"):rep(8192)):close()
				end
			end
			local two = master:clone()
			assert.equal(2, two:eval("return gc.vmid()"))
		end)
	end)
end)

-- ---- descriptors -----------------------------------------------------------------

-- before: a command that starts prlimit as the user whose process it is
local function limit(pid, what, n, before)
	local status
	local command = table.move(before or {}, 1, 9, 1, {})
	table.move({ "prlimit", "--pid", tostring(pid), ("--%s=%s"):format(what, n) }, 1, 4, #command + 1,
		command)
	local handle = assert(uv.spawn(table.remove(command, 1), { args = command },
		function(code) status = code end))
	while not status do uv.run("once") end
	handle:close()
	assert.equal(0, status, "prlimit")
end

local function count(pid)
	local n = 0
	for _ in pairs(procfs.descriptors(pid)) do n = n + 1 end
	return n
end

-- Leaves a process n descriptors.
local function leave(pid, n)
	local all, limit_ = procfs.descriptors(pid), 0
	while n > 0 or all[limit_] do
		if not all[limit_] then n = n - 1 end
		limit_ = limit_ + 1
	end
	limit(pid, "nofile", limit_ .. ":")
end

local function engine_of(t)
	for _, stat in ipairs(procfs.marked(t.mark)) do
		if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
	end
end

-- Clones n; true when that succeeded, else the error's name. All that was made is ended.
local function try(master, n)
	local ticket, refused, why = master:call("request_ticket", n, n, 1, 0)
	if not ticket then return why, refused end
	local vmid, err, code, vmids = master:call("clone", ticket)
	for _, made in ipairs(vmids) do assert(master:call("kill", made)) end
	return vmid == 0 or code, err
end

-- Starts a program without what this process has inherited, which may have high numbers.
local clean = { "bash", "-c", [[
	for path in /proc/$$/fd/*; do
		n=${path##*/}
		if ((n > 2 && n != 255)); then eval "exec $n>&-"; fi
	done
	exec "$0" "$@"
]], "lua5.4" }

describe("a program without free descriptors", function()
	it("gets an error for each clone that cannot be, and goes on", function()
		puppet.run(function(t)
			local master = puppet.start(t, { command = clean })
			assert.is_true(try(master, 3))
			local engine = engine_of(t)
			local used = count(master.pid)
			local seen = {}
			for extra = 0, 40 do
				leave(master.pid, extra)
				local result, err = try(master, 3)
				seen[result] = (seen[result] or 0) + 1
				-- it is the same engine, so nobody else was harmed
				assert.equal(engine, engine_of(t), ("%d: %s"):format(extra, err))
				assert.equal(1, #master:call("list_domains"))
				assert.is_truthy(result == true or result == "EMFILE", ("%d: %s"):format(extra, err))
			end
			assert.is_truthy(seen[true] and seen.EMFILE)
			assert.is_true(try(master, 3))
			t.wait_until(function() return count(master.pid) <= used end, nil, "the descriptors it had")
			t.wait_until(function() return #procfs.children(master.pid) == 1 end, nil,
				"the end of all clones")
		end)
	end)

	it("gets an error where not even an engine can be started", function()
		puppet.run(function(t)
			local p = t.spawn{ "prlimit", "--nofile=40", "lua5.4", "-e", [[
				local gc, uv = require "gridcentric", require "luv"
				local async = require "gridcentric.platform.async"
				async.core()
				local all = {}
				while true do
					local file = io.open("/dev/null")
					if not file then break end
					all[#all + 1] = file
				end
				all[#all]:close()
				gc.list_domains(function(domains, err, code)
					print(domains, code)
					for _, file in ipairs(all) do if io.type(file) == "file" then file:close() end end
					gc.list_domains(function(again) print(#again) end)
				end)
				uv.run()
			]] }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("nil\tEMFILE\n1\n", p.stdout)
		end)
	end)
end)

describe("an engine without free descriptors", function()
	it("tells so for each clone that cannot be, and goes on", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			assert.is_true(try(master, 3))
			local engine = engine_of(t)
			local seen = {}
			for extra = 0, 40 do
				leave(engine, extra)
				local result, err = try(master, 3)
				seen[result] = (seen[result] or 0) + 1
				assert.equal(1, #master:call("list_domains"))
				assert.is_truthy(result == true or result == "EMFILE", ("%d: %s"):format(extra, err))
				t.wait_until(function() return #procfs.children(master.pid) == 1 end, nil,
					"the end of all clones")
			end
			assert.is_truthy(seen[true] and seen.EMFILE)
			limit(engine, "nofile", "1000:")
			assert.is_true(try(master, 3))
		end)
	end)

	it("does not turn in a circle for connections that it cannot accept", function()
		puppet.run(function(t)
			local master = puppet.start(t)
			master:call("list_domains")
			local engine = engine_of(t)
			local path
			for name in uv.fs_scandir_next, (assert(uv.fs_scandir(t.state))) do
				if name:find("%.sock$") then path = t.state .. "/" .. name end
			end
			leave(engine, 0)
			for _ = 1, 30 do t.connect{ unix = path } end
			local function ticks()
				local text = io.open(("/proc/%d/stat"):format(engine)):read("a")
				local user, system = text:match("%) %a" .. (" %-?%d+"):rep(10) .. " (%d+) (%d+)")
				return user + system
			end
			local before = ticks()
			-- while it has nothing to do but to refuse them
			master:eval("await(function(wake) uv.new_timer():start(400, 0, wake) end)")
			assert.is_true(ticks() - before < 15, "it was busy all the time")
			limit(engine, "nofile", "1000:")
			assert.is_table((core.control(path, nil, 5000)))
		end)
	end)
end)

-- ---- processes -------------------------------------------------------------------

describe("a user who may have no more processes", function()
	it("gets an error for a clone, and goes on #root", function()
		if not is_root() then pending("only root can become another user") end
		local nobody = { "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups" }
		local script = ("test -x %s -a -r %s -a -r %s/puppet.lua"):format(paths.engine, paths.core,
			paths.scripts)
		local args, status = table.move(nobody, 2, #nobody, 1, {}), nil
		table.move({ "sh", "-c", script }, 1, 3, #args + 1, args)
		local handle = uv.spawn("setpriv", { args = args }, function(code) status = code end)
		while not status do uv.run("once") end
		handle:close()
		uv.run()
		if status ~= 0 then pending("another user cannot read this folder") end
		puppet.run(function(t)
			local state = assert(uv.fs_mkdtemp("/tmp/gc-XXXXXX"))
			t.defer(function() tmp.remove(state) end)
			uv.fs_chown(state, 65534, 65534)
			local command = table.move(nobody, 1, #nobody, 1, {})
			command[#command + 1] = "lua5.4"
			local master = puppet.start(t, { command = command, env = { GRIDCENTRIC_STATE = state } })
			assert.is_true(try(master, 1))
			limit(master.pid, "nproc", "1:", nobody)
			local result, err = try(master, 2)
			assert.equal("EAGAIN", result)
			assert.equal("EAGAIN: fork: Resource temporarily unavailable", err)
			assert.equal(1, #master:call("list_domains"))
			limit(master.pid, "nproc", "10000:", nobody)
			assert.is_true(try(master, 2))
		end)
	end)
end)
