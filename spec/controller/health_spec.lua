local health = require "gridcentric.controller.health"

describe("health", function()
	local record, o

	before_each(function()
		record = health.new()
		o = {
			failures = 3, eject_time = 10, max_eject_time = 35, max_ejected = 0.5,
			check = { fall = 3, rise = 2 },
		}
	end)

	local function fail(n, now)
		for _ = 1, n do health.failed(record, o, now, "ECONNREFUSED") end
	end

	it("takes failures in a row for unfit, for a time", function()
		fail(2, 0)
		health.passed(record)
		fail(2, 1)
		assert.is_true(health.is_fit(record, 1))
		fail(1, 2)
		local is_fit, why = health.is_fit(record, 2)
		assert.is_false(is_fit)
		assert.equal("3 failures in a row, the last: ECONNREFUSED", why)
		assert.is_false(health.is_fit(record, 11.9))
		assert.is_true(health.is_fit(record, 12))
	end)

	-- For how long it is unfit after failing at this time.
	local function span_at(now)
		fail(3, now)
		return record.until_ - now
	end

	it("doubles the time when it fails again soon, up to the longest", function()
		assert.equal(10, span_at(0))
		assert.equal(20, span_at(15))
		assert.equal(35, span_at(40))
		assert.equal(35, span_at(80))
	end)

	it("starts over once it did well for as long as it was out", function()
		assert.equal(10, span_at(0))
		assert.equal(20, span_at(15))
		assert.equal(10, span_at(60))
	end)

	it("does not count what fails while it is out", function()
		fail(3, 0)
		fail(30, 5)
		assert.equal(10, record.until_)
		assert.equal(0, record.failures)
	end)

	it("follows checks that fail, or pass, several times in a row", function()
		local results, fit = "ffpfffpfppfp", {}
		for i = 1, #results do
			health.checked(record, o.check, i, results:sub(i, i) == "f" and "silent" or nil)
			fit[i] = health.is_fit(record, i) and "+" or "-"
		end
		assert.equal("+++++----+++", table.concat(fit))
		assert.is_nil(record.sick_since)
	end)

	it("says why checks take it out, and since when", function()
		for i = 1, 4 do health.checked(record, o.check, i, "status 500") end
		assert.equal("3 checks in a row failed, the last: status 500",
			(select(2, health.is_fit(record, 4))))
		assert.equal(3, record.sick_since)
	end)

	it("ejects at most a share, and never the last", function()
		assert.is_false(health.may_eject(o, 1, 0))
		assert.is_true(health.may_eject(o, 2, 0))
		assert.is_false(health.may_eject(o, 1, 1))
		assert.is_true(health.may_eject(o, 3, 1))
		assert.is_false(health.may_eject(o, 2, 2))
		o.max_ejected = 1
		assert.is_false(health.may_eject(o, 1, 9))
		o.max_ejected = 0
		assert.is_false(health.may_eject(o, 9, 0))
	end)
end)
