local policy = require "gridcentric.config.load"
local ratio = require "gridcentric.policy.ratio"
local tmp = require "spec.support.tmp"
local schema = require "gridcentric.config.schema"

describe("policy", function()
	local dir

	before_each(function() dir = tmp.new() end)
	after_each(function() tmp.remove(dir) end)

	local function write(name, text)
		local path = dir .. "/" .. name
		local file = assert(io.open(path, "w"))
		file:write(text)
		file:close()
		return path
	end

	-- Loads a policy file with this text; `path` in the error becomes FILE.
	local function load(text, name)
		write("server.lua", "")
		local path = write(name or "shop.lua", text)
		local p, err = policy.load(path)
		return p, err and err:gsub("^" .. path:gsub("%p", "%%%0"), "FILE")
	end

	local function wrong(text)
		local p, err = load(text)
		assert.is_nil(p)
		return err
	end

	describe("file", function()
		it("has defaults for all but the program", function()
			local p = assert(load [[return { app = { script = "server.lua" } }]])
			assert.equal("shop", p.name)
			assert.same({ host = "127.0.0.1", port = 8080 }, p.listen)
			assert.same({ min = 0, max = 16 }, p.clones)
			assert.equal("latest", p.route.name)
			assert.equal("fewest", p.victim)
			assert.is_false(p.drain or p.watch)
			assert.is_nil(p.health)
			local at_once = { cooldown = 0, window = 0, period = 60 }
			assert.same({ tolerance = 0, up = at_once, down = at_once }, p.plan)
			assert.equal("http", p.mode)
			assert.equal("cookie", p.sticky)
			assert.equal(60, p.session_timeout)
			assert.equal(10, p.cookieless_timeout)
			assert.same({ max = 1000, timeout = 10, status = 503 }, p.held)
			assert.equal(30, p.drain_timeout)
			assert.equal(3, (p.scale(0, { sessions = 5 }, {})))
		end)

		it("finds the program beside it", function()
			local p = assert(load [[return { app = { script = "server.lua", args = { "-v" } } }]])
			assert.equal(dir .. "/server.lua", p.app.script)
			assert.equal(dir, p.app.dir)
			assert.same({ "-v" }, p.app.args)
			assert.equal("FILE: app: script: " .. dir .. "/gone.lua: No such file or directory",
				wrong [[return { app = { script = "gone.lua" } }]])
		end)

		describe("of machines", function()
			local function load_machine(app, backend)
				write("chat.img", "")
				return load(([[return { %s app = { %s } }]]):format(backend or 'backend = "qemu",', app))
			end

			it("has defaults for all but the image and its port", function()
				local p = assert(load_machine 'image = "chat.img", port = 8001')
				assert.equal("qemu", p.backend)
				assert.same({
					image = dir .. "/chat.img", dir = dir, port = 8001, memory = 256, cpus = 1, accel = "auto",
					network = "user", spare = 1, start_timeout = 60,
				}, p.app)
			end)

			it("has sizes of memory as people write them", function()
				for text, mib in pairs { ["64M"] = 64, ["2G"] = 2048, ["1.5 G"] = 1536, ["1024G"] = 1048576,
					["2 GB"] = 1907, ["512 MiB"] = 512 } do
					local p = assert(load_machine(('image = "chat.img", port = 80, memory = %q'):format(text)))
					assert.equal(mib, p.app.memory)
				end
				assert.equal(256, load_machine('image = "chat.img", port = 80, memory = 256').app.memory)
				for _, given in ipairs { "63M", "1025G", "256", "256 s", 63 } do
					local p, err = load_machine(('image = "chat.img", port = 80, memory = %q'):format(given))
					assert.is_nil(p)
					assert.matches('^FILE: app: memory: a size such as "256M" or "2 GB", from 64M to 1024G, '
						.. "expected, got ", err)
				end
			end)

			it("says which keys belong to which backend", function()
				local function wrong_machine(...) return select(2, load_machine(...)) end
				local elsewhere = 'the program is in the image with backend = "qemu"'
				assert.equal("FILE: app: script: " .. elsewhere,
					wrong_machine 'image = "chat.img", port = 80, script = "server.lua"')
				assert.equal("FILE: app: args: " .. elsewhere,
					wrong_machine 'image = "chat.img", port = 80, args = {}')
				for _, key in ipairs { "accel", "cpus", "image", "memory", "network" } do
					local values = { accel = '"kvm"', cpus = "2", image = '"chat.img"', memory = '"1G"',
						network = '"tap"' }
					assert.equal(('FILE: app: %s: only with backend = "qemu"'):format(key),
						wrong_machine(("script = 'server.lua', %s = %s"):format(key, values[key]), ""))
				end
				assert.equal("FILE: app: image: missing", wrong_machine "port = 80")
				assert.equal("FILE: app: port: missing", wrong_machine 'image = "chat.img"')
				assert.equal('FILE: backend: "fork" or "qemu" expected, got "kvm"',
					wrong_machine('image = "chat.img"', 'backend = "kvm",'))
				assert.equal('FILE: app: cpus: a whole number from 1 to 255 expected, got 0',
					wrong_machine 'image = "chat.img", port = 80, cpus = 0')
			end)

			it("has an image beside it that can be read", function()
				local function missing(name)
					return select(2, load_machine(('image = %q, port = 80'):format(name)))
				end
				assert.equal("FILE: app: image: " .. dir .. "/gone.img: No such file or directory",
					missing "gone.img")
				assert.equal("FILE: app: image: " .. dir .. "/.: Is a directory", missing ".")
			end)
		end)

		it("is named after its folder where its own name says nothing", function()
			local text = [[return { app = { script = "server.lua" } }]]
			local p = assert(load(text, "policy.lua"))
			assert.equal(dir:match "[^/]*$", p.name)
			assert.equal("my-shop", assert(load(text, "my shop.lua")).name)
			assert.equal("x", assert(load [[return { name = "x", app = { script = "server.lua" } }]]).name)
		end)

		it("has the standard library and the ready policies, and leaves no globals", function()
			local p = assert(load [[
				per_clone = tonumber(os.getenv "SPEC_NONE" or "3")
				return { app = { script = "server.lua" }, scale = ratio { per_clone = per_clone } }]])
			assert.equal(2, (p.scale(0, { sessions = 5 }, {})))
			assert.is_nil(rawget(_G, "per_clone"))
		end)

		it("takes a function, and a mode's own way to know users again", function()
			local p = assert(load [[return {
				app = { script = "server.lua" }, mode = "tcp",
				scale = function(now, sample, state) return 7 end,
			}]])
			assert.is_false(p.sticky)
			assert.equal(7, p.scale())
		end)

		it("says how to pace, route, heal and drain", function()
			local p = assert(load [[return {
				app = { script = "server.lua" },
				plan = { up = { most = 4, period = 10 }, down = { most = "12.5%", cooldown = 60 } },
				route = hash { by = "header:X-Tenant" },
				health = { check = { path = "/health" } },
				drain = true, victim = function(clones) return clones[1] end, watch = true,
				held = { status = 429, text = "come back" },
			}]])
			assert.same({ n = 4 }, p.plan.up.most)
			assert.same({ share = 0.125 }, p.plan.down.most)
			assert.equal("X-Tenant", p.route.header)
			assert.same({ failures = 5, errors = false, eject_time = 10, max_eject_time = 300,
				max_ejected = 0.5, check = { path = "/health", interval = 5, timeout = 2, fall = 3, rise = 2 },
			}, p.health)
			assert.equal(429, p.held.status)
		end)

		it("takes a number of clones for a policy", function()
			local p = assert(load [[return { app = { script = "server.lua" }, scale = 3 }]])
			assert.same({ 3, "a fixed number" }, { p.scale(0, {}, {}) })
		end)

		it("takes units wherever a size, a time or a share is expected", function()
			local p = assert(load [[return {
				app = { script = "server.lua", start_timeout = "1 min" },
				held = { timeout = "10s" }, session_timeout = "2h", stop_timeout = "250 ms",
				plan = { tolerance = "10%", up = { window = "3 s", most = "50 %" } },
				health = { max_ejected = "25%", eject_time = "1m", check = { timeout = "500ms" } },
				limits = { head = "8 KB", body = "2G", idle_timeout = "1 min" },
				metrics = { jobs = { clones = "/metrics", metric = "jobs", every = "10s" } },
				scale = min_of { 5, budget { memory = "2G", memory_per_clone = "1 GiB" } },
			}]])
			assert.equal(60, p.app.start_timeout)
			assert.equal(10, p.held.timeout)
			assert.equal(7200, p.session_timeout)
			assert.equal(0.25, p.stop_timeout)
			assert.near(0.1, p.plan.tolerance, 1e-12)
			assert.equal(3, p.plan.up.window)
			assert.same({ share = 0.5 }, p.plan.up.most)
			assert.equal(0.25, p.health.max_ejected)
			assert.equal(60, p.health.eject_time)
			assert.equal(0.5, p.health.check.timeout)
			assert.equal(8000, p.limits.head)
			assert.equal(2 ^ 31, p.limits.body)
			assert.equal(60, p.limits.idle_timeout)
			assert.equal(10, p.metrics.jobs.every)
			assert.equal(2, (p.scale(0, { clones = 0, coming = 0 }, {})))
		end)

		it("takes units for each key that has one", function()
			local given = { seconds = { "1500 ms", 1.5 }, bytes = { "1 KB", 1000 }, MiB = { "1 GB", 953 },
				share = { "50%", 0.5 } }
			local seen = {}
			local function look(keys)
				for _, key in ipairs(keys) do
					local unit = key[2].unit
					if key[2].schema then look(key[2].schema) end
					if unit then
						seen[unit] = true
						assert.equal(given[unit][2], key[2](given[unit][1]), key[1])
						assert.is_nil((key[2] "1 parsec"))
					end
				end
			end
			look(schema.FILE)
			assert.same({ seconds = true, bytes = true, MiB = true, share = true }, seen)
		end)

		it("tells the place of a mistake", function()
			assert.equal("FILE:2: unexpected symbol near ','", wrong "return {\n,}")
			assert.equal("FILE:2: oops", wrong "\nerror 'oops'")
			assert.equal("FILE:1: attempt to call a nil value (global 'ration')",
				wrong "return { scale = ration { } }")
			assert.equal('FILE:2: ratio: unknown key "perclone" (did you mean "per_clone"?)',
				wrong "return {\nscale = ratio { perclone = 2 } }")
			assert.equal("FILE: a policy file ends with return { ... }", wrong "local x = 1")
			assert.equal("(error object is a table value)", wrong "error {}")
		end)

		it("tells what is wrong with a key", function()
			assert.equal('FILE: unknown key "listn" (did you mean "listen"?)',
				wrong [[return { listn = 1 }]])
			assert.equal('FILE: unknown key "replicas" (did you mean "clones"?)',
				wrong [[return { replicas = 3 }]])
			assert.equal('FILE: app: unknown key "command" (did you mean "script"?)',
				wrong [[return { app = { command = "x" } }]])
			assert.equal('FILE: app: args: a list expected, got the key "1"',
				wrong [[return { app = { script = "server.lua", args = { ["1"] = "x" } } }]])
			assert.equal("FILE: app: missing", wrong [[return {}]])
			assert.equal("FILE: app: script: missing", wrong [[return { app = {} }]])
			local function key(text)
				return wrong(([[return { app = { script = "server.lua" }, %s }]]):format(text))
			end
			assert.equal('FILE: scale: a policy or a number of clones expected, got "two"',
				key [[scale = "two"]])
			assert.equal("FILE: scale: options are missing: ratio { ... }", key [[scale = ratio]])
			assert.matches(":1: max_of: item 2: options are missing: rules { ... }$",
				key [[scale = max_of { 1, rules }]])
			assert.equal("FILE: scale: options are missing: hash { ... }", key [[scale = hash]])
			assert.equal("FILE: on_missing: options are missing: ratio { ... }",
				key [[on_missing = ratio]])
			assert.matches('^FILE: route: "latest", .* expected, got "newest"$', key [[route = "newest"]])
			assert.equal("FILE: route: options are missing: hash { ... }", key [[route = hash]])
			assert.equal('FILE: plan: up: most: a whole number from 1, or a share such as "50%", expected, '
				.. 'got "much"', key [[plan = { up = { most = "much" } }]])
			assert.equal('FILE: health: check: path: a path such as "/health" expected, got "health"',
				key [[health = { check = { path = "health" } }]])
			assert.matches("^FILE: route: there are no requests in tcp mode",
				key [[mode = "tcp", route = hash { by = "path" }]])
			assert.equal("FILE: clones: min is 5, but max 4", key [[clones = { min = 5, max = 4 }]])
			assert.matches("^FILE: sticky: there are no cookies in tcp mode",
				key [[mode = "tcp", sticky = "cookie"]])
			assert.matches("^FILE: name: a name of letters", key [[name = "a b"]])
		end)

		it("may be missing, or a folder", function()
			local p, err = policy.load(dir .. "/gone.lua")
			assert.is_nil(p)
			assert.equal(dir .. "/gone.lua: No such file or directory", err)
			assert.is_nil((policy.load(dir)))
		end)

		it("is text, not bytecode", function()
			assert.matches("attempt to load a binary chunk", wrong(string.dump(function() end)))
		end)
	end)

	describe("asked", function()
		local function decide(scale, last)
			return policy.decide({ scale = scale }, 12, { sessions = 3 }, {}, last or 5)
		end

		it("gets the time, the sample and its state, and is rounded up", function()
			local desired, reason = decide(function(now, sample)
				return (now + sample.sessions) / 4, "because"
			end)
			assert.equal(4, desired)
			assert.equal("because", reason)
		end)

		it("may have no opinion", function()
			local desired, reason = decide(function() end)
			assert.equal(5, desired)
			assert.equal("no opinion", reason)
		end)

		it("may fail, which never raises", function()
			local desired, err = decide(function() error "oops" end)
			assert.is_nil(desired)
			assert.matches("load_spec.lua:%d+: oops", err)
			desired, err = decide(function() error {} end)
			assert.is_nil(desired)
			assert.equal("(error object is a table value)", err)
		end)

		describe("what lacks a metric", function()
			local function lack(on_missing)
				local p = assert(policy.check {
					app = { script = "server.lua" }, clones = { min = 2, max = 9 }, on_missing = on_missing,
					scale = function() return nil, "metric cpu is missing", "MISSING" end,
				})
				return policy.decide(p, 7, { sessions = 3 }, { n = 1 }, 5)
			end

			it("holds what was wanted so far, and says so", function()
				local desired, reason, missing = lack()
				assert.equal(5, desired)
				assert.equal("metric cpu is missing", reason)
				assert.equal("metric cpu is missing", missing)
			end)

			it("goes to a bound", function()
				assert.equal(2, (lack "min"))
				assert.equal(9, (lack "max"))
			end)

			it("asks a function", function()
				local desired, _, missing = lack(function(now, sample, state)
					return now + sample.sessions + state.n
				end)
				assert.equal(11, desired)
				assert.is_string(missing)
			end)

			it("blames that function where it says nonsense", function()
				local desired, err = lack(function() return "many" end)
				assert.is_nil(desired)
				assert.matches("load_spec.lua:%d+: on_missing returned many, not a number", err)
			end)

			it("holds while that may be for it was not measured yet", function()
				local p = assert(policy.check {
					app = { script = "server.lua" }, on_missing = "max",
					scale = function() return nil, "metric cpu is missing", "MISSING" end,
				})
				local desired, _, missing = policy.decide(p, 0, {}, {}, 5, true)
				assert.same({ 5, "metric cpu is missing" }, { desired, missing })
			end)

			it("is not the same as to have no opinion", function()
				local p = assert(policy.check {
					app = { script = "server.lua" }, on_missing = "max",
					scale = function() return nil, "no rule applies" end,
				})
				local desired, reason, missing = policy.decide(p, 0, {}, {}, 5)
				assert.same({ 5, "no rule applies" }, { desired, reason, missing })
			end)
		end)

		it("may say nonsense", function()
			for _, nonsense in ipairs { "two", -1, 0 / 0, math.huge, 1e300, true, {} } do
				local desired, err = decide(function() return nonsense end)
				assert.is_nil(desired)
				assert.matches("load_spec.lua:%d+: scale returned .*, not a number of clones", err)
			end
		end)
	end)

	describe("ratio", function()
		it("has one clone for every so many", function()
			local scale = ratio { metric = "connections", per_clone = 3 }
			local expected = { [0] = 0, 1, 1, 1, 2, 2, 2, 3 }
			for n = 0, #expected do
				local desired, reason = scale(0, { connections = n }, {})
				assert.equal(expected[n], desired)
				assert.equal(n .. (n == 1 and " connection" or " connections") .. ", 3 per clone", reason)
			end
		end)

		it("checks its options at once", function()
			assert.has_error(function()
				local scale = ratio { per_clone = 0 }
				return scale
			end)
			assert.has_error(function()
				local scale = ratio { metric = "moon" }
				return scale
			end)
		end)
	end)
end)
