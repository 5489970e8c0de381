local faults = require "gridcentric.controller.faults"
local pool = require "gridcentric.controller.pool"
local route = require "gridcentric.route"
local router = require "gridcentric.controller.router"

describe("router", function()
	local clones, told, all

	-- With two clones that serve.
	local function start(how)
		clones, told = pool.new(), {}
		for vmid = 1, 2 do
			local clone = clones:plan(0)
			clones:move(clone, "starting")
			clones:serve(clone, vmid, { ip = "127.64.0." .. vmid, port = 80 }, 0)
		end
		all = router.new {
			route = assert(route.type(how)), pool = clones, seed = 1,
			faults = faults.new(function(what, err) told[#told + 1] = what .. ": " .. err end),
		}
	end

	local function pick(avoid)
		local clone = all:pick({ ip = "192.0.2.1" }, avoid)
		return clone and clone.vmid
	end

	it("asks the policy's route", function()
		start "round_robin"
		assert.same({ 1, 2, 1 }, { pick(), pick(), pick() })
	end)

	it("avoids one that has failed, and goes on as before", function()
		start "round_robin"
		assert.same({ 1, 1, 2 }, { pick(), pick(clones.ready[2]), pick() })
		clones:move(clones.ready[2], "dead")
		assert.is_nil(pick(clones.ready[1]))
	end)

	it("takes a function, which gets the request, the clones and its state", function()
		start(function(request, given, state)
			state.n = (state.n or 0) + 1
			return request.ip == "192.0.2.1" and given.ready[state.n]
		end)
		assert.same({ 1, 2 }, { pick(), pick() })
		assert.same({}, told)
	end)

	it("goes by the default route where the function has no opinion", function()
		start(function() end)
		assert.equal(2, pick())
		assert.same({}, told)
	end)

	it("goes by the default route where the function fails, and blames it", function()
		start(function() error "oops" end)
		assert.equal(2, pick())
		assert.matches("^route: .*router_spec.lua:%d+: oops$", told[1])
		for _, nonsense in ipairs { 7, "one", {}, { state = "dead" } } do
			start(function() return nonsense end)
			assert.equal(2, pick())
			assert.matches("^route: .*router_spec.lua:%d+: route returned %l+, not one of the clones$",
				told[1])
		end
	end)

	it("does not go where it must not, whatever the function says", function()
		start(function(_, given) return given.ready[1] or clones.ready[1] end)
		assert.equal(1, pick())
		assert.equal(2, pick(clones.ready[1]))
	end)

	it("changes nothing of the clones, whatever a function does with them", function()
		local newest_first = function(a, b) return a.vmid > b.vmid end
		start(function(request, given)
			table.sort(given.ready, newest_first)
			local chosen = table.remove(given.ready, 1)
			given.ready[1], given.coming, request.ip = nil, nil, "1.2.3.4"
			return chosen
		end)
		local request = { ip = "192.0.2.1" }
		for _ = 1, 3 do assert.equal(2, all:pick(request).vmid) end
		assert.same({}, told)
		assert.equal("192.0.2.1", request.ip)
		assert.same({ 1, 2 }, { clones.ready[1].vmid, clones.ready[2].vmid })
		assert.equal(2, #clones.ready)
		for field, value in pairs { state = "dead", connections = -1, vmid = 7 } do
			start(function(_, given)
				given.ready[1][field] = value
				return given.ready[1]
			end)
			assert.equal(2, pick())
			assert.matches("a clone cannot be changed %(" .. field .. "%)", told[1])
			assert.equal("ready", clones.ready[1].state)
		end
	end)

	it("shows the same view of a clone each time, with all that is known of it", function()
		local seen = {}
		start(function(_, given)
			for i, clone in ipairs(given.ready) do
				seen[clone] = (seen[clone] or 0) + 1
				local fields = {}
				for key, value in pairs(clone) do fields[key] = value end
				assert(fields.vmid == i and clone.ip == "127.64.0." .. i)
			end
			for _, clone in pairs(given.ready) do seen[clone] = seen[clone] + 1 end
			return select(1, table.unpack(given.ready))
		end)
		assert.same({ 1, 1 }, { pick(), pick() })
		assert.same({}, told)
		local n = 0
		for _, times in pairs(seen) do n = n + times end
		assert.equal(8, n)
	end)

	it("takes nothing that looks like a clone for one, nor one that has gone", function()
		local kept
		start(function(_, given)
			kept = kept or given.ready[1]
			return kept
		end)
		assert.equal(1, pick())
		clones:move(clones.ready[1], "dead")
		assert.equal(2, pick())
		assert.matches("route returned a clone that does not serve, not one of the clones$", told[1])
		for _, nonsense in ipairs { { state = "ready" }, clones.ready[1] } do
			start(function() return nonsense end)
			assert.equal(2, pick())
			assert.matches("route returned table, not one of the clones$", told[1])
		end
	end)

	it("keeps the last good route while a new one fails", function()
		start(function(_, given) return given.ready[1] end)
		assert.equal(1, pick())
		local is_broken = true
		all:use(assert(route.type(function(_, given)
			if is_broken then error "oops" end
			return given.ready[2]
		end)))
		assert.same({ 1, 1 }, { pick(), pick() })
		is_broken = false
		assert.equal(2, pick())
	end)

	it("guards a table like a function", function()
		start { pick = function(_, given)
			given.ready[1].state = "dead"
		end, header = "X-Tenant" }
		assert.equal(2, pick())
		assert.matches("a clone cannot be changed", told[1])
		start { pick = function(_, given) return given.ready[1] end }
		assert.equal(1, pick())
		local hash = route.READY.hash { by = "source" }
		start(hash)
		hash.pick = function() error "changed afterwards" end
		assert.is_number(pick())
	end)

	it("blames a weight that fails, too", function()
		start(route.READY.weighted { weight = function() return -1 end })
		assert.equal(2, pick())
		assert.matches("weight returned %-1", told[1])
	end)

	it("goes by another route from now on", function()
		start "latest"
		assert.equal(2, pick())
		all:use(route.get "round_robin")
		assert.same({ 1, 2 }, { pick(), pick() })
	end)
end)
