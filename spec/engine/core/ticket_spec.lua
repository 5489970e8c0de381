-- Places of tickets and the clones at them, with a scheduler and a backend that do what the spec
-- says. After each step the core checks all its structures (spec/c/engine_core.c).

local engine_core = require "gridcentric.engine_core"

local core

-- A core with these hosts, and a ticket that was granted these places.
local function granted(at_least, ...)
	core = engine_core.new("home", "far")
	local ticket = core:request(select("#", ...), at_least)
	core:grant(ticket, ...)
	return ticket
end

describe("a ticket", function()
	after_each(function()
		if core then core:close() end
		core = nil
	end)

	it("gives each clone a place of its own: host, CPUs and all", function()
		local ticket = granted(3, "home", "far", "home")
		core:use(ticket)
		local domains = core:domains()
		assert.same({ "home", "far", "home" }, { domains[1].host, domains[2].host, domains[3].host })
		assert.same({ 1, 2, 3 }, { domains[1].cpus, domains[2].cpus, domains[3].cpus })
	end)

	it("leaves the master at home, outside of any grant", function()
		core = engine_core.new("here", "there")
		assert.same({ host = "here", cpus = 0, state = "ready" }, core:domains()[0])
	end)

	it("fails a clone whose host is not known, and gives that place back", function()
		local ticket = granted(2, "home", "nowhere")
		core:use(ticket)
		assert.is_nil(core:domains()[2])
		assert.same({ 1 }, core:released())
		core:ready(1)
		assert.same({ status = "active", held = 1, used = 1 }, core:ticket(ticket))
	end)

	it("gives back all places when it is released unused", function()
		local ticket = granted(1, "home", "far")
		core:release(ticket)
		assert.same({ 0, 1 }, core:released())
		assert.same({ status = "released", held = 0, used = 0 }, core:ticket(ticket))
	end)

	it("gives back the place of a clone that fails, and no other", function()
		local ticket = granted(1, "home", "far", "home")
		core:use(ticket)
		core:fail(2)
		assert.same({ 1 }, core:released())
		assert.same({ status = "active", held = 2, used = 2 }, core:ticket(ticket))
		core:fail(1)
		core:fail(3)
		assert.same({ 1, 0, 2 }, core:released())
		assert.same({ status = "released", held = 0, used = 0 }, core:ticket(ticket))
	end)

	it("that loses a place ends the clone there, and no other", function()
		local ticket = granted(1, "home", "far", "home")
		core:use(ticket)
		core:ready(1)
		core:ready(2)
		core:revoke(ticket, 1, "the node went down")
		local domains = core:domains()
		assert.same({ "ready", "starting" }, { domains[1].state, domains[3].state })
		assert.is_nil(domains[2])
		assert.same({}, core:released()) -- what is lost is not given back
		assert.same({ status = "active", held = 2, used = 2 }, core:ticket(ticket))
	end)

	it("is revoked with its last place", function()
		local ticket = granted(1, "home", "far")
		core:use(ticket)
		core:revoke(ticket, 0, "taken")
		core:revoke(ticket, 1, "taken")
		assert.same({ status = "revoked", held = 0, used = 0 }, core:ticket(ticket))
		assert.is_nil(core:domains()[1])
	end)

	it("that loses a place before it is used makes fewer clones", function()
		local ticket = granted(2, "home", "far", "home")
		core:revoke(ticket, 1, "taken")
		assert.same({ status = "granted", held = 2, used = 0 }, core:ticket(ticket))
		core:use(ticket)
		local domains = core:domains()
		assert.same({ 1, 3 }, { domains[1].cpus, domains[2].cpus })
		assert.is_nil(domains[3])
	end)

	it("is revoked when fewer places are left than were asked for, and gives those back", function()
		local ticket = granted(3, "home", "far", "home")
		core:revoke(ticket, 1, "taken")
		assert.same({ status = "revoked", held = 0, used = 0 }, core:ticket(ticket))
		assert.same({ 0, 2 }, core:released())
	end)
end)
