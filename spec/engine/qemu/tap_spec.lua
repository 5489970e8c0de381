-- limit: 600 s
-- Virtual machines on tap devices, in a network namespace of the spec's own.

local gcscale = require "spec.support.gcscale"
local parts = require "spec.support.parts"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local uv = require "luv"
local vm = require "spec.support.vm"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

local POLICY = [[
return {
	listen = "127.0.0.1:8080", backend = "qemu",
	app = { image = %q, port = 8001, memory = "128M", accel = "tcg", network = "tap" },
	clones = { min = 2 },
}
]]

-- Why machines cannot have taps here, if so.
local function missing()
	if parts.needs_root() then return parts.needs_root() end
	if not os.execute "unshare -n true 2>/dev/null" then return "needs `unshare -n`" end
	return not uv.fs_access("/dev/net/tun", "RW") and "needs /dev/net/tun" or nil
end

describe("machines on taps #qemu", function()
	it("are reached at addresses of their own, and leave no device", function()
		local why = missing()
		if why then return pending(why) end
		vm.run(function(t)
			local file = gcscale.policy_file(t, POLICY:format(vm.puppet_image(t)))
			local service = t.spawn { "unshare", "-n", "sh", "-c",
				'busybox ip link set lo up && exec "$@"', "sh", paths.gcscale, file }
			local function inside(...)
				local p = t.spawn { "nsenter", "-t", tostring(service.pid), "-n", ... }
				assert.equal(0, p:wait(), p:describe())
				return p.stdout
			end
			-- in whichever order
			local first = service:line("clone %d ready in %d+ ms at (10%.[%d.]+):8001")
			local second = service:line("clone %d ready in %d+ ms at (10%.[%d.]+):8001")
			assert.not_equal(first, second)
			for _, ip in ipairs { first, second } do
				inside("bash", "-c", ("exec 3<>/dev/tcp/%s/8001"):format(ip))
			end
			local devices = inside("busybox", "ip", "link")
			assert.matches("gc%d+v0:", devices)
			assert.matches("gc%d+v1:", devices)
			assert.matches("gc%d+v2:", devices)
			-- the namespace lives as long as this does
			local holder = t.spawn { "nsenter", "-t", tostring(service.pid), "-n", "sleep", "60" }
			t.wait_until(function() return procfs.alive(holder.pid) end, nil, "its start")
			assert.equal(0, (service:stop()))
			local p = t.spawn { "nsenter", "-t", tostring(holder.pid), "-n", "busybox", "ip", "link" }
			assert.equal(0, p:wait(), p:describe())
			assert.not_matches("gc%d", p.stdout)
			holder:kill()
			holder:wait()
		end)
	end)
end)
