local pool = require "gridcentric.controller.pool"
local victims = require "gridcentric.controller.victims"

describe("victims", function()
	local clones

	-- Clones that serve, each with {connections, sessions, state}; then so many that are planned.
	local function given(list, nplanned)
		clones = pool.new()
		for vmid, entry in ipairs(list) do
			local clone = clones:plan(0)
			clones:move(clone, "starting")
			clones:serve(clone, vmid, { ip = "127.64.0.1", port = 80 }, 0)
			clone.connections, clone.sessions = entry[1], entry[2]
			if entry[3] then clones:move(clone, entry[3]) end
		end
		for _ = 1, nplanned or 0 do clones:plan(0) end
	end

	local function slots(n, may_drain, choose)
		local found = {}
		for i, clone in ipairs(victims.of(clones, n, may_drain or false, choose)) do
			found[i] = clone.slot
		end
		return found
	end

	it("are those that nobody uses, youngest first", function()
		given { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 0, 0 } }
		assert.same({ 4, 1 }, slots(9))
		assert.same({ 4 }, slots(1))
		assert.same({}, slots(0))
	end)

	it("begin with those that do not exist yet, and with ejected ones", function()
		given({ { 0, 0, "ejected" }, { 0, 0 } }, 2)
		assert.same({ 4, 3, 1, 2 }, slots(9))
	end)

	it("are, where clones may be drained, those with the fewest users, then youngest", function()
		given { { 3, 1 }, { 1, 1 }, { 1, 5 }, { 1, 1 }, { 0, 2 }, { 9, 9, "ejected" } }
		assert.same({ 6, 5, 4, 2, 3, 1 }, slots(9, true))
	end)

	it("are never those that end already, are being made, or are waited for", function()
		given({ { 0, 0, "draining" }, { 0, 0, "ending" } }, 2)
		clones:move(clones.coming[1], "starting")
		clones.coming[2].connections = 1
		assert.same({}, slots(9, true))
	end)

	it("are the policy's choice of those that exist", function()
		given({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, 1)
		local offered = {}
		local function oldest(list)
			offered[#offered + 1] = #list
			return #list
		end
		assert.same({ 4, 1, 2 }, slots(3, false, oldest))
		assert.same({ 3, 2 }, offered)
		assert.same({ 4 }, slots(3, false, function() end))
	end)

	it("are found quickly among many", function()
		local list = {}
		for i = 1, 2000 do list[i] = { i % 10, i % 7 } end
		given(list)
		local steps = 0
		debug.sethook(function() steps = steps + 1 end, "", 1000)
		slots(1000, true)
		debug.sethook()
		assert.is_true(steps < 400) -- thousand instructions
	end)
end)
