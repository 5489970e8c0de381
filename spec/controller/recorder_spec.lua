local policy_support = require "spec.support.policy"
local recorder = require "gridcentric.controller.recorder"
local virtual = require "gridcentric.replay.clock"

describe("recorder", function()
	local clock, r

	before_each(function()
		clock = virtual.new(1000)
		r = recorder.new(clock)
	end)

	local function note(sessions, cause)
		local sample = policy_support.sample { sessions = sessions }
		r:note(clock.now(), cause or "tick", sample, 1, 1)
	end

	-- The first three cells of each row: "1000.000000,tick,3".
	local function cells(fetched)
		local found = {}
		for line in fetched.rows:gmatch "[^\n]+" do
			found[#found + 1] = line:match "^[^,]*,[^,]*,[^,]*"
		end
		return found
	end

	it("keeps nothing until somebody fetches", function()
		note(1)
		local first = r:fetch(nil, { "jobs" })
		assert.matches("^at,cause,sessions,.*,my%.jobs$", first.columns)
		assert.equal("", first.rows)
		note(2)
		local got = r:fetch(first.last)
		assert.same({ "1000.000000,tick,2" }, cells(got))
		assert.same({}, cells(r:fetch(got.last)))
	end)

	it("gives the rows of one turn one time", function()
		local first = r:fetch(nil, {})
		note(1, "arrival")
		note(2, "arrival")
		clock.advance(1000.25)
		note(3)
		assert.same({ "1000.000000,arrival,1", "1000.000000,arrival,2", "1000.250000,tick,3" },
			cells(r:fetch(first.last)))
	end)

	it("ends when nobody fetches, and begins anew", function()
		local first = r:fetch(nil, {})
		note(1)
		clock.advance(1040)
		note(2)
		assert.is_nil(r.columns)
		local again = r:fetch(first.last, {})
		assert.equal("", again.rows)
		assert.equal(first.last + 1, again.last)
		assert.equal(1, again.lost)
	end)

	it("gives no more at a time than a message can hold", function()
		local last = r:fetch(nil, {}).last
		for i = 1, 20000 do note(i) end
		local rows, parts = {}, 0
		repeat
			local got = r:fetch(last)
			assert.is_true(#got.rows < 1024 * 1024)
			last, parts = got.last, parts + 1
			for _, row in ipairs(cells(got)) do rows[#rows + 1] = row end
		until not got.more
		assert.equal(20000, #rows)
		assert.is_true(parts > 1)
	end)

	it("forgets the oldest rows when nobody fetches fast enough, and tells how many", function()
		local last = r:fetch(nil, {}).last
		for i = 1, 100010 do note(i) end
		assert.equal(10, r:fetch(last).lost)
	end)
end)
