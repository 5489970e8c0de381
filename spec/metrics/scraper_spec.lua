local keys = require "gridcentric.config.schema_metrics"
local scraper = require "gridcentric.metrics.scraper"

describe("scraper", function()
	local now, clones, asked, s

	-- asked: requests under way, in order; asked[i].answer(body, err) ends one.
	local function start(metrics)
		now, clones, asked = 100, {}, {}
		s = scraper.new {
			metrics = assert(keys.metrics(metrics)),
			now = function() return now end,
			clones = function() return clones end,
			fetch = function(target, limits, callback)
				local request = { target = target, limits = limits, answer = callback }
				asked[#asked + 1] = request
				return function() request.cancelled = true end
			end,
		}
	end

	local function add_clones(n)
		for i = #clones + 1, #clones + n do clones[i] = { ip = "clone" .. i, port = 80 } end
	end

	-- A second passes; the requests that it brings are answered by reply(target).
	local function step(reply)
		now = now + 1
		asked = {}
		s:step()
		for _, request in ipairs(reply and asked or {}) do request.answer(reply(request.target)) end
	end

	local page = [[
cpu{cpu="0",mode="idle"} 1
cpu{cpu="1",mode="idle"} 2
cpu{cpu="0",mode="user"} 30
gone NaN
]]

	it("asks every so often, and keeps what was said", function()
		start { idle = { url = "http://127.0.0.1:9100/m", metric = "cpu", match = { mode = "idle" } } }
		assert.is_nil(s:measure().idle)
		local times = {}
		for i = 1, 12 do
			step(function() return page end)
			if #asked > 0 then times[#times + 1] = i end
			assert.equal(3, s:measure().idle)
		end
		assert.same({ 1, 6, 11 }, times)
		assert.same({ host = "127.0.0.1", port = 9100, path = "/m" }, s.sources[1].url)
	end)

	it("aggregates several series as it is told", function()
		for how, expected in pairs { sum = 33, avg = 11, min = 1, max = 30 } do
			start { cpu = { url = "http://127.0.0.1/", metric = "cpu", aggregate = how } }
			step(function() return page end)
			assert.equal(expected, s:measure().cpu)
		end
	end)

	it("asks once for all metrics of one place", function()
		start {
			idle = { url = "http://127.0.0.1/", metric = "cpu", match = { mode = "idle" } },
			user = { url = "http://127.0.0.1/", metric = "cpu", match = { mode = "user" } },
			rare = { url = "http://127.0.0.1/", metric = "cpu", every = 60 },
		}
		step(function() return page end)
		assert.equal(2, #asked)
		assert.same({ idle = 3, user = 30, rare = 33 }, s:measure())
	end)

	it("asks each clone, and forgets those that are gone", function()
		start { jobs = { clones = "/metrics", metric = "jobs", every = 1 } }
		assert.equal(0, s:measure().jobs)
		add_clones(3)
		assert.is_nil(s:measure().jobs)
		step(function(target)
			assert.equal("/metrics", target.path)
			return "jobs " .. target.host:match "%d+"
		end)
		assert.equal(6, s:measure().jobs)
		table.remove(clones, 1)
		assert.equal(5, s:measure().jobs)
	end)

	it("spreads its requests to many clones over the time", function()
		start { jobs = { clones = "/metrics", metric = "jobs", every = 5 } }
		add_clones(1000)
		local times = {}
		for _ = 1, 10 do
			step(function(target)
				times[target.host] = (times[target.host] or 0) + 1
				return "jobs 1"
			end)
			assert.equal(200, #asked)
		end
		for _, clone in ipairs(clones) do assert.equal(2, times[clone.ip]) end
		assert.equal(1000, s:measure().jobs)
	end)

	it("has one request under way to a place", function()
		start { jobs = { url = "http://127.0.0.1/", metric = "jobs", every = 1 } }
		step()
		local first = asked[1]
		step()
		assert.equal(0, #asked)
		first.answer("jobs 1")
		step()
		assert.equal(1, #asked)
	end)

	it("counts failures and says why, until it goes well again", function()
		start { jobs = { url = "http://127.0.0.1/", metric = "jobs", every = 1 } }
		step(function() return nil, "ECONNREFUSED" end)
		assert.equal("ECONNREFUSED", s.errors.jobs)
		step(function() return "jobs one" end)
		assert.matches("line 1: a number expected", s.errors.jobs)
		step(function() return "no 1" end)
		assert.equal("the answer has no such series: jobs", s.errors.jobs)
		step(function() return "jobs NaN" end)
		assert.equal("jobs is NaN", s.errors.jobs)
		assert.same({}, (s:measure()))
		step(function() return "jobs -Inf" end)
		assert.equal("jobs is negative infinite", s.errors.jobs)
		step(function() return "jobs NaN" end)
		assert.equal(6, s.failures.jobs)
		assert.is_nil(s:measure().jobs)
		step(function() return "jobs 4" end)
		assert.is_nil(s.errors.jobs)
		assert.equal(4, s:measure().jobs)
	end)

	it("takes an answer for good three times as long as it waits for the next", function()
		start { jobs = { url = "http://127.0.0.1/", metric = "jobs", every = 2 } }
		step(function() return "jobs 1" end)
		for _ = 1, 6 do step(function() return nil, "ETIMEDOUT" end) end
		assert.equal(1, s:measure().jobs)
		step(function() return nil, "ETIMEDOUT" end)
		assert.is_nil(s:measure().jobs)
	end)

	it("calls off at its end what is under way", function()
		start { jobs = { url = "http://127.0.0.1/", metric = "jobs" } }
		step()
		s:close()
		assert.is_true(asked[1].cancelled)
	end)
end)
