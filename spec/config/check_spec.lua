local check = require "gridcentric.config.check"
local policy = require "gridcentric.config.load"

describe("check", function()
	local function rows(given)
		local o = { app = { script = "-" } }
		for key, value in pairs(given) do o[key] = value end
		return check.rows(assert(policy.check(o)), 1e9)
	end

	local function column(list, key)
		local found = {}
		for i, row in ipairs(list) do found[i] = row[key] == nil and "-" or tostring(row[key]) end
		return table.concat(found, " ")
	end

	it("asks for some numbers of users, and for as many as there may be", function()
		local list, ok = rows { clones = { min = 1, max = 4 }, limits = { sessions = 50 } }
		assert.is_true(ok)
		assert.equal("0 1 2 5 10 50", column(list, "sessions"))
		assert.equal("0 1 1 3 5 25", column(list, "desired"))
		assert.equal("1 1 1 3 4 4", column(list, "wanted"))
		assert.equal("at least 1", list[1].limit)
		assert.equal("at most 4", list[6].limit)
		assert.equal("5 sessions, 2 per clone", list[4].reason)
	end)

	it("shows what the plan would hold back", function()
		local list = rows { plan = { up = { most = 2 } } }
		assert.equal("0 1 1 2 2 2", column(list, "wanted"))
		assert.equal("up.most: 2 in 1 min", list[5].limit)
	end)

	it("says that a policy fails, and where", function()
		local list, ok = rows { scale = function(_, sample)
			return sample.sessions > 5 and sample.nothing.there or 1
		end }
		assert.is_false(ok)
		assert.equal("1 1 1 1 - -", column(list, "desired"))
		assert.matches("check_spec.lua:%d+: attempt to index", list[5].reason)
	end)

	it("has the values of a service without clones, as live", function()
		local list, ok = rows { scale = function(_, sample)
			return sample.cpu + sample.memory + sample.latency.p99 + sample.denied
		end }
		assert.is_true(ok)
		assert.equal("0 0 0 0 0 0", column(list, "desired"))
	end)

	it("takes what only the program can report as not known", function()
		local list, ok = rows { scale = function(_, sample)
			if sample.heap then return 9 end
			return nil, "metric heap is missing", "MISSING"
		end, on_missing = "max" }
		assert.is_true(ok)
		assert.equal("16 16 16 16 16 16", column(list, "desired"))
		assert.equal("metric heap is missing", list[1].reason)
	end)
end)
