local reported = require "gridcentric.metrics.reported"

describe("what domains have reported", function()
	it("is summed over those that live, or as the policy says", function()
		local t = reported.new()
		for vmid = 1, 3 do
			t:set(vmid, "queue", vmid)
			t:set(vmid, "busy", vmid)
			t:set(vmid, "age", vmid)
		end
		t:set(3, "queue", 10)
		assert.same({ queue = 13, busy = 2, age = 3 }, t:measure { busy = "avg", age = "max" })
		t:forget(3)
		assert.same({ queue = 3, busy = 1.5, age = 2 }, t:measure { busy = "avg", age = "max" })
		t:clear()
		assert.same({}, t:measure {})
	end)

	it("keeps what is between us and the guest API to us", function()
		local t = reported.new()
		t:set(0, "_heap", 5000)
		assert.equal(5000, t:get(0, "_heap"))
		assert.is_nil(t:get(1, "_heap"))
		assert.same({}, t:measure {})
	end)

	it("passes over what is no name or number", function()
		local t = reported.new()
		t:set(1, "no-name", 1)
		t:set(1, ("x"):rep(65), 1)
		t:set(1, "nan", 0 / 0)
		t:set(1, "inf", -math.huge)
		assert.same({}, t:measure {})
	end)

	it("holds 64 names of a domain", function()
		local t, n = reported.new(), 0
		for i = 1, 100 do t:set(1, "name" .. i, i) end
		t:set(1, "name1", 7)
		for _ in pairs(t:measure {}) do n = n + 1 end
		assert.equal(64, n)
		assert.equal(7, t:get(1, "name1"))
	end)
end)
