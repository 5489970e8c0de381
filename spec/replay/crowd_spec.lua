local crowd = require "gridcentric.replay.crowd"
local service = require "spec.support.played_service"

describe("replay.crowd", function()
	local c, clock, users

	local function open(given)
		c, clock = service.new(given)
		users = crowd.new(c.proxy, c.traffic, c.policy.sticky == false)
	end

	local function become(sessions, connections)
		users:become(sessions, connections or sessions)
		clock.advance(clock.now() + 0.1)
		return { c.traffic.sessions.count, c.traffic.connections }
	end

	for _, sticky in ipairs { "cookie", "source" } do
		it("brings sessions and connections to any counts, sticky by " .. sticky, function()
			open { sticky = sticky }
			local random = require("gridcentric.util.random").new(3)
			for _ = 1, 300 do
				local sessions = (random() >> 1) % 30
				local connections = sessions > 0 and (random() >> 1) % 50 or 0
				assert.same({ sessions, connections }, become(sessions, connections))
			end
			assert.same({ 0, 0 }, become(0))
		end)
	end

	it("has as many sessions as connections where users are not known again", function()
		open { mode = "tcp", scale = function() return 1 end }
		assert.same({ 7, 7 }, become(3, 7))
		assert.same({ 2, 2 }, become(3, 2))
	end)

	it("has a user who was idle come back as the same", function()
		open()
		become(3, 3)
		local began = c.traffic.counters.sessions
		assert.same({ 3, 0 }, become(3, 0))
		assert.same({ 3, 3 }, become(3, 3))
		assert.equal(began, c.traffic.counters.sessions)
	end)

	it("has who came first leave first", function()
		open { scale = function(_, sample) return sample.sessions end, route = "latest" }
		become(1)
		become(2)
		become(1)
		assert.equal(1, c.fleet.pool.by_vmid[2].sessions)
	end)

	it("does not have the refused come again and again", function()
		open { mode = "tcp", held = { max = 0 }, scale = function() return 0 end }
		become(5)
		assert.equal(5, c.traffic.counters.refused)
		for _ = 1, 5 do become(5) end
		assert.equal(5, c.traffic.counters.refused)
		become(0)
	end)

	it("never makes more connections than it says, but for a moment", function()
		open()
		become(4, 4)
		local most = 0
		local decide = c.decide
		function c.decide(...)
			most = math.max(most, c.traffic.connections)
			return decide(...)
		end
		become(6, 4)
		assert.equal(4, most)
	end)

end)
