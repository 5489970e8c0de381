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
