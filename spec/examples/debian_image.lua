-- limit: 3000 s
-- examples/debian: a stock Debian, built by the example's script, booted and cloned. It takes many
-- minutes and a Debian mirror, so it is no part of the suite: `make check-debian-image`.

local gcscale = require "spec.support.gcscale"
local paths = require "spec.support.paths"
local uv = require "luv"
local vm = require "spec.support.vm"

local BUILD_MS, BOOT_MS, REPLACED_MS, RUN_MS = 1200000, 600000, 120000, 2400000
local CLOCK_LIMIT_MS = 50
local image = paths.build .. "/debian-spec.qcow2" -- kept for the next run

local function mtime(path)
	local stat = uv.fs_stat(path)
	return stat and stat.mtime.sec or 0
end

local function build(t)
	local script = paths.examples .. "/debian/make-image"
	if mtime(image) > math.max(mtime(script), mtime(paths.agent)) then return end
	local p = t.spawn { script, image, paths.scripts .. "/debian_program.py" }
	assert.equal(0, p:wait(BUILD_MS), p:describe())
end

-- What a shell prints in a machine.
local function inside(t, domain, script)
	local answer = t.http { host = domain.ip, port = tonumber(domain.port), method = "POST",
		path = "/", body = script, timeout_ms = REPLACED_MS }
	return (answer.body:gsub("%s+$", ""))
end

local function wall_ms()
	local seconds, microseconds = uv.gettimeofday()
	return seconds * 1000 + microseconds / 1000
end

-- How far a machine's clock is from ours, in ms, at the least.
local function clock_error(t, domain)
	local before = wall_ms()
	local there = tonumber(inside(t, domain, "date +%s%N")) / 1e6
	return there < before and there - before or math.max(0, there - wall_ms())
end

describe("a stock Debian #qemu #slow", function()
	it("boots, is cloned, and its clones are machines of their own", function()
		vm.run(function(t)
			build(t)
			local file, folder = gcscale.policy_file(t, ([[return {
				listen = "127.0.0.1:8080", backend = "qemu",
				app = { image = %q, port = 8080, memory = "512M", accel = "tcg", start_timeout = 600 },
				clones = { min = 2, max = 2 },
			}]]):format(image))
			local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:0" }
			p:line("listens on", BOOT_MS)
			local m = vm.of(t, p, folder:match "[^/]*$")
			local function told(pattern)
				t.wait_until(function() return p.stdout:find(pattern) end, REPLACED_MS, pattern)
			end
			told "clone 1 ready"
			told "clone 2 ready"

			local domains, ids = m:domains(), {}
			for vmid = 0, 2 do
				local d = domains[vmid]
				local host = ("%s-%d"):format(m.name, vmid)
				assert.equal(host, inside(t, d, "hostname"))
				assert.matches("^127%.0%.1%.1%s", inside(t, d, "getent ahostsv4 $(hostname)"))
				local id = inside(t, d, "cat /etc/machine-id")
				assert.is_nil(ids[id])
				ids[id] = true
				assert.is_true(math.abs(clock_error(t, d)) <= CLOCK_LIMIT_MS)
				-- the source's log, then its own
				inside(t, d, ("logger said by %d"):format(vmid))
				local log = t.wait_until(function()
					local text = inside(t, d, "journalctl -q -o cat | tail -200")
					return text:find(("said by %d"):format(vmid), 1, true) and text
				end, REPLACED_MS, "its own line in the journal")
				assert.not_matches("No journal files", log)
			end

			-- the agent is its unit's, and comes again
			local one = domains[1]
			assert.matches("/system.slice/gridcentric%-agent.service",
				inside(t, one, "cat /proc/$(pidof gridcentric-agent)/cgroup"))
			local old = inside(t, one, "pidof gridcentric-agent")
			inside(t, one, "kill -KILL " .. old)
			t.wait_until(function()
				local new = inside(t, one, "pidof gridcentric-agent")
				return new ~= "" and new ~= old
			end, REPLACED_MS, "the agent's return")

			-- a panic, with the kernel's own command line
			pcall(inside, t, domains[2], "(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
			told "clone 2 died[^\n]*panicked"
			told "clone 3 ready"
			assert.equal("ready", m:domains()[1].state)

			-- a service that is stopped in the master is none in a clone
			pcall(inside, t, domains[0], "systemctl --no-block stop hello")
			assert(uv.kill(one.pid, "sigkill"))
			told "nothing listens on port 8080 in the machine"
			assert.equal(0, (m.process:stop()))
		end, { timeout_ms = RUN_MS })
	end)
end)
