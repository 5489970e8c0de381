-- limit: 240 s
-- Machines whose memory does not fit, images that are none, and what is left of machines: nothing.

local files = require "gridcentric.image.files"
local gcscale = require "spec.support.gcscale"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local uv = require "luv"
local vm = require "spec.support.vm"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

local function kill(pid) assert(uv.kill(pid, "sigkill")) end

local function wait_dead(t, pid)
	t.wait_until(function() return not procfs.alive(pid) end, nil, ("the death of %d"):format(pid))
end

-- A service of puppets that keeps one clone, which has come up.
local function serve(t)
	local s = gcscale.start(t, ("return { %s clones = { min = 1 } }"):format(
		vm.POLICY:format(vm.puppet_image(t))))
	s.p:line "clone 1 ready"
	return vm.of(t, s.p, s.name), s
end

describe("the storage for memory #qemu", function()
	it("may be full: no clone then, and no harm", function()
		local why = parts.needs_mounts()
		if why then return pending(why) end
		vm.run(function(t)
			local folder = t.tmpdir()
			local m = vm.boot(t, vm.puppet_image(t), {
				env = { GRIDCENTRIC_RAM_DIR = folder },
				wrap = { "unshare", "-m", "sh", "-c",
					'mount -t tmpfs -o size=170M tmpfs "$GRIDCENTRIC_RAM_DIR" && exec "$@"', "sh" },
			})
			local master = m:puppet(0)
			local CLONE = [[
				local ticket = assert(gc.request_ticket(1, 1, 1, 5000))
				return table.pack(gc.clone(ticket))
			]]
			for _ = 1, 2 do
				local answer = master:eval(CLONE)
				assert.same({ -1, "ENOSPC" }, { answer[1], answer[3] })
			end
			assert.is_nil(m:domains()[1] or m:domains()[2])
			local p = t.spawn { "nsenter", "-t", tostring(m.process.pid), "-m", "mount", "-o",
				"remount,size=400M", folder }
			assert.equal(0, p:wait(), p:describe())
			m:clone(master)
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)

describe("an image #qemu", function()
	it("that is none is told so", function()
		vm.run(function(t)
			local folder = t.tmpdir()
			local image = files.read(vm.puppet_image(t))
			files.write(folder .. "/text.img", "this is no image, and a long text it is not either")
			files.write(folder .. "/zeros.img", ("\0"):rep(100000))
			files.write(folder .. "/short.img", image:sub(1, #image // 3))
			files.write(folder .. "/qcow.img", "QFI\xfb" .. ("\0"):rep(1000))
			for name, wanted in pairs {
				["text.img"] = "not an image that boots", ["zeros.img"] = "not an image that boots",
				["short.img"] = "short.img", ["missing.img"] = "no such file", ["."] = "",
				["qcow.img"] = "qcow.img",
			} do
				local path = folder .. "/" .. name
				local p = t.spawn { paths.gcscale, "run-image", path, "--accel", "tcg" }
				assert.equal(1, p:wait(), p:describe())
				assert.matches("^gcscale: [^\n]*\n$", p.stderr, nil, p:describe())
				assert.matches(wanted, p.stderr:lower(), 1, true)
				p = t.spawn { paths.gcscale, (gcscale.policy_file(t,
					("return { %s }"):format(vm.POLICY:format(path)))) }
				assert.is_true(p:wait() > 0, p:describe())
				assert.matches(wanted, p.stderr:lower(), 1, true)
			end
		end)
	end)

	it("whose program ends at once shows how", function()
		vm.run(function(t)
			local image = vm.image(t, "brief", {
				files = { ["puppet.lua"] = paths.scripts .. "/puppet.lua" },
				program = "sh -c 'echo I have to go; exit 7'",
			})
			local p = t.spawn { paths.gcscale, "run-image", image, "--accel", "tcg", "--memory", "128M" }
			assert.not_equal(0, (p:wait()))
			assert.matches("I have to go", p.stdout)
			assert.matches("exit status 7", p.stderr)
			p = t.spawn { paths.gcscale, (gcscale.policy_file(t,
				("return { %s }"):format(vm.POLICY:format(image)))), "--listen", "127.0.0.1:0" }
			assert.equal(1, (p:wait()))
			assert.matches("the program cannot be started: .*exit status 7", p.stderr)
			assert.matches("\nI have to go\n", p.stderr)
		end)
	end)
end)

describe("nothing is left #qemu", function()
	local function engine_of(t)
		for _, stat in ipairs(procfs.marked(t.mark)) do
			if stat.command:find("gridcentric-engine", 1, true) then return stat.pid end
		end
	end

	it("of machines when the engine is killed, and gcscale has another one boot", function()
		vm.run(function(t)
			local m, s = serve(t)
			local old = vm.machines(t)
			assert.is_true(#old >= 2)
			kill(engine_of(t))
			for _, machine in ipairs(old) do wait_dead(t, machine.pid) end
			s.p:line "program runs again"
			s.p:line "clone %d+ ready"
			-- and when gcscale is
			m.process:kill "sigkill"
			m.process:wait()
			t.wait_until(function() return #procfs.marked(t.mark) == 0 end, nil, "the end of all")
		end)
	end)

	it("of machines when both are killed", function()
		vm.run(function(t)
			local m = serve(t)
			kill(engine_of(t))
			m.process:kill "sigkill"
			m.process:wait()
			t.wait_until(function() return #procfs.marked(t.mark) == 0 end, nil, "the end of all")
			local left = vm.files(t)
			serve(t).process:stop() -- whose engine clears away what others left
			for _, path in ipairs(left) do
				assert.is_true(path:find("^/dev/shm/") ~= nil or not uv.fs_stat(path), path)
			end
		end)
	end)
end)
