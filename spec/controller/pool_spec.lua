local pool = require "gridcentric.controller.pool"

describe("pool", function()
	local clones

	before_each(function() clones = pool.new() end)

	local function slots(list)
		local found = {}
		for i, clone in ipairs(list) do found[i] = clone.slot end
		return found
	end

	local function serve(clone, vmid)
		clones:move(clone, "starting")
		clones:serve(clone, vmid, { ip = "127.64.0." .. vmid, port = 80, pid = 100 + vmid }, 7)
	end

	it("follows a clone from plan to death", function()
		local clone = clones:plan(3)
		assert.same({ 1 }, slots(clones.coming))
		assert.same({ 1 }, slots(clones:list "planned"))
		clones:move(clone, "starting")
		assert.equal(1, clones.starting)
		assert.same({}, slots(clones:list "planned"))
		clones:serve(clone, 4, { ip = "127.64.0.4", port = 80, pid = 104 }, 7)
		assert.equal(0, clones.starting)
		assert.same({ 1 }, slots(clones.ready))
		assert.same({}, slots(clones.coming))
		assert.equal(clone, clones.by_vmid[4])
		assert.equal(7, clone.since)
		clones:move(clone, "draining")
		assert.same({ 1 }, slots(clones.draining))
		assert.equal(clone, clones.by_vmid[4])
		clones:move(clone, "dead")
		assert.same({}, slots(clones.draining))
		assert.is_nil(clones.by_vmid[4])
	end)

	it("keeps lists in the order of planning, whatever becomes ready first", function()
		local all = {}
		for i = 1, 5 do all[i] = clones:plan(0) end
		for vmid, i in ipairs { 4, 1, 5, 2 } do serve(all[i], vmid) end
		assert.same({ 1, 2, 4, 5 }, slots(clones.ready))
		assert.same({ 3 }, slots(clones.coming))
		clones:move(all[2], "dead")
		assert.same({ 1, 4, 5 }, slots(clones.ready))
	end)

	it("gives a place back to those that are planned", function()
		local clone = clones:plan(0)
		clones:move(clone, "starting")
		clones:move(clone, "planned")
		assert.equal(0, clones.starting)
		assert.same({ 1 }, slots(clones:list "planned"))
	end)

	it("keeps those apart that are ejected, and those that end", function()
		local one, other = clones:plan(0), clones:plan(0)
		serve(one, 1)
		serve(other, 2)
		clones:move(one, "ejected")
		assert.same({ { 2 }, { 1 } }, { slots(clones.ready), slots(clones.ejected) })
		clones:move(one, "ready")
		assert.same({ { 1, 2 }, {} }, { slots(clones.ready), slots(clones.ejected) })
		clones:move(one, "draining")
		clones:move(one, "ending")
		assert.same({ 1 }, slots(clones.draining))
		assert.equal(2, clones:count())
	end)

	it("has another version whenever a list has changed", function()
		local seen = { [clones.version] = true }
		local function is_new()
			local was_seen = seen[clones.version]
			seen[clones.version] = true
			return not was_seen
		end
		local clone = clones:plan(0)
		assert.is_true(is_new())
		clones:move(clone, "starting")
		assert.is_false(is_new())
		clones:serve(clone, 1, {}, 0)
		assert.is_true(is_new())
		clones:move(clone, "dead")
		assert.is_true(is_new())
	end)

	it("knows which nobody uses", function()
		local expected = { planned = true, starting = false, ready = true, ejected = true,
			draining = false, ending = false, dead = false }
		for state, idle in pairs(expected) do
			local clone = { state = state, connections = 0, sessions = 0 }
			assert.equal(idle, pool.is_idle(clone))
			clone.sessions = 1
			assert.is_false(pool.is_idle(clone))
			clone.sessions, clone.connections = 0, 1
			assert.is_false(pool.is_idle(clone))
		end
	end)

	it("knows where users can be sent", function()
		local expected = { planned = true, starting = true, ready = true,
			ejected = false, draining = false, ending = false, dead = false }
		for state, usable in pairs(expected) do assert.equal(usable, pool.is_usable { state = state }) end
		assert.is_false(pool.is_usable(nil))
	end)
end)
