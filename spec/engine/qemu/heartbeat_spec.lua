-- limit: 240 s
-- Machines that look alive from outside, and are not: each is ended and replaced.
-- With a played guest, and quickly: hostile_guest_spec.lua.

local gcscale = require "spec.support.gcscale"
local uv = require "luv"
local vm = require "spec.support.vm"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

local REPLACED_MS = 240000

-- Has a shell in the puppet's machine, which may not come back from it.
local function shell(puppet, script)
	puppet:eval(([[
		kept.process = uv.spawn("sh", { args = { "-c", %q } }, print)
	]]):format(script))
end

-- Ends the agent alone: init does not see to it, as its shell stands still.
local function kill_agent(puppet)
	shell(puppet, [[
		agent=$(pidof gridcentric-agent)
		kill -STOP $(sed -n 's/^PPid:\t//p' /proc/$agent/status)
		kill -KILL $agent
	]])
end

describe("a machine that does not live any more #qemu", function()
	it("is ended and replaced: stopped, without its agent, panicked; the first one too", function()
		vm.run(function(t)
			local s = gcscale.start(t, ("return { %s clones = { min = 3 } }"):format(
				vm.POLICY:format(vm.puppet_image(t))))
			local m = vm.of(t, s.p, s.name)
			-- in whatever order they come
			local function told(...)
				for _, pattern in ipairs { ... } do
					t.wait_until(function() return s.p.stdout:find(pattern) end, REPLACED_MS, pattern)
				end
			end
			told("clone 1 ready", "clone 2 ready", "clone 3 ready")

			-- a kernel that is not told to restart
			shell(m:puppet(3), "echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger")
			assert(uv.kill(m:domains()[1].pid, "sigstop"))
			kill_agent(m:puppet(2))
			told("clone 3 died[^\n]*its kernel has panicked", "clone 1 died[^\n]*answer",
				"clone 2 died[^\n]*its agent has ended", "clone 4 ready", "clone 5 ready", "clone 6 ready")
			assert.equal(1, #m:events "agent lost")

			kill_agent(m:puppet(0))
			told "program runs again"
			for vmid = 4, 6 do assert.equal(vmid, m:puppet(vmid):eval "return gc.vmid()") end
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)
