local fake_service = require "spec.support.fake_service"

describe("decisions", function()
	local function decisions(s)
		local found = {}
		for _, event in ipairs(s.platform.events) do
			if event.what == "decision" then found[#found + 1] = event end
		end
		return found
	end

	local function event_of(s, what)
		for _, event in ipairs(s.platform.events) do
			if event.what == what then return event end
		end
	end

	it("has all that led to it, and what is done", function()
		local s = fake_service.new { clones = { max = 2 } }
		s:arrive(5)
		s.clock.advance(0.01)
		local event = decisions(s)[1]
		local d = event.details
		assert.equal("0 -> 2 clones: 5 sessions, 2 per clone (at most 2)", event.text)
		assert.equal(1, d.id)
		assert.equal(3, d.desired)
		assert.equal(0, d.before)
		assert.equal(2, d.wanted)
		assert.equal("5 sessions, 2 per clone", d.reason)
		assert.same({ "at most 2" }, { table.unpack(d.limits) })
		assert.equal(2, d.actions.make)
		assert.equal(5, d.sample.sessions)
		assert.equal(1, s.service:report().decision)
	end)

	it("is one for each turn, and numbered", function()
		local s = fake_service.new()
		s:arrive(3)
		s.clock.advance(0.01)
		s:arrive(2)
		s.clock.advance(0.01)
		assert.equal(2, #decisions(s))
		assert.equal(2, decisions(s)[2].details.id)
	end)

	it("is named by the clones that were made for it", function()
		local s = fake_service.new()
		s:arrive(1)
		s.clock.advance(0.001)
		s:arrive(4) -- planned while the first one is made
		s.clock.advance(0.1)
		local numbers = {}
		for _, event in ipairs(s.platform.events) do
			if event.what == "ready" then numbers[event.vmid] = event.details.decision end
		end
		assert.same({ 1, 2, 2 }, numbers)
	end)

	it("is named by what could not be made, and by what is ended for it", function()
		local s = fake_service.new { session_timeout = 1, cookieless_timeout = 1 }
		s.platform.answers = { { err = "no room" } }
		local users = s:arrive(1)
		s.clock.advance(3)
		assert.equal(1, event_of(s, "failed").details.decision)
		users[1]:close()
		s.clock.advance(5)
		assert.equal(2, event_of(s, "drain").details.decision)
		local d = decisions(s)[2].details
		assert.equal(1, d.actions.retire)
		assert.same({}, { table.unpack(d.limits) })
	end)
end)
