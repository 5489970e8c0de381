local async = require "spec.support.async"
local exposition = require "gridcentric.metrics.exposition"
local families = require "gridcentric.controller.metric_families"
local parser = require "gridcentric.metrics.exposition_parser"
local fake_service = require "spec.support.fake_service"

describe("/metrics", function()
	-- A service that has been used: two clones, one of which died, an error, a refusal.
	local function used()
		local s = fake_service.new { clones = { min = 1 }, metrics = { queue = { aggregate = "max" } } }
		s.clock.advance(1)
		local users = { s.proxy:client(), s.proxy:client(), s.proxy:client { cookie = "forged" } }
		for _, user in ipairs(users) do user:request() end
		s.clock.advance(1)
		users[1]:done(200, 7)
		users[2]:done(502, 900)
		s.platform.tell(1, "queue", 4)
		s.platform:die(1)
		s.platform.tell(2, "queue", 3)
		s.clock.advance(2)
		s.service.fleet.pool.ready[1].memory = 5e6
		return s
	end

	local function read(s)
		local found = {}
		local text = exposition.render(families.of(s.service:report(), s.service.metrics))
		for _, series in ipairs(assert(parser.parse(text)).samples) do
			local _, label = next(series.labels)
			local key = label and ("%s %s"):format(series.name, label) or series.name
			found[key:gsub("^gridcentric_", "")] = series.value
		end
		return found, text
	end

	it("shows what has happened", function()
		local found = read(used())
		assert.equal(3, found.requests_total)
		assert.equal(1, found["responses_total 2xx"])
		assert.equal(1, found["responses_total 5xx"])
		assert.equal(0, found["request_duration_seconds_bucket 0.004"])
		assert.equal(1, found["request_duration_seconds_bucket 0.008"])
		assert.equal(2, found["request_duration_seconds_bucket +Inf"])
		assert.equal(0.907, found.request_duration_seconds_sum)
		assert.equal(3, found.sessions)
		assert.equal(1, found["unknown_cookies_total forged"])
		assert.equal(1, found.clones_died_total)
		assert.equal(2, found["clones ready"])
		assert.equal(5e6, found["clone_memory_bytes 2"])
		assert.equal(3, found["own_metric queue"])
		assert.equal(1, found.program_up)
		assert.equal(0, found.metric_missing)
	end)

	it("shows clones that were ejected, drained and cut", function()
		local s = fake_service.new {
			clones = { min = 2 }, health = { failures = 1, eject_time = 100 }, drain = true,
			drain_timeout = 1, route = "latest",
		}
		s.clock.advance(1)
		s.proxy:client():request()
		s.service.rotation:on_outcome(s.service.fleet.pool.ready[1], "ECONNREFUSED")
		local found = read(s)
		assert.equal(1, found["clones ejected"])
		assert.equal(1, found.clones_ejected_total)
		assert.equal(0, found["clones draining"])
		assert.equal(0, found.clones_drained_total)
		s.service:hold(0)
		s.clock.advance(0.1)
		assert.equal(1, read(s)["clones draining"])
		s.clock.advance(5)
		found = read(s)
		assert.equal(1, found.clones_drained_total) -- nobody was on the other one
		assert.equal(1, found.connections_cut_total)
	end)

	it("shows each counter of the report", function()
		local s = fake_service.new {}
		local report, wanted = s.service:report(), {}
		for name in pairs(report.counters) do
			wanted[#wanted + 1] = name
			report.counters[name] = 1000000 + #wanted
		end
		assert(#wanted > 15)
		local text = exposition.render(families.of(report, s.service.metrics))
		for i, name in ipairs(wanted) do
			local is_shown = text:find((" %d\n"):format(1000000 + i), 1, true)
			-- shown by reason
			assert(is_shown or name == "refused", name)
		end
	end)

	it("is what promtool takes for good", function()
		async.run(function(t)
			local _, text = read(used())
			local p = t.spawn { "promtool", "check", "metrics", stdin = text, foreign = true }
			assert.equal(0, (p:wait()), p:describe())
			assert.equal("", p.stderr .. p.stdout)
		end)
	end)
end)
