local change = require "gridcentric.config.change"
local policy = require "gridcentric.config.load"

describe("policy.change", function()
	local function checked(given)
		given.app = given.app or { script = "server.lua" }
		return assert(policy.check(given))
	end

	local function change_of(new, old)
		local ok, err = change.check(checked(old or {}), checked(new))
		return ok or err
	end

	it("may be one of all that says how many clones there are and who goes where", function()
		assert.is_true(change_of {
			clones = { min = 1, max = 99 }, scale = function() end, route = "least",
			plan = { tolerance = 0.1 }, health = {}, drain = true, held = { max = 5 },
			limits = { head = 1024 }, session_timeout = 5, drain_timeout = 6, watch = true,
		})
	end)

	it("may not be one of what the service is", function()
		local function wrong(key)
			return key .. ": cannot change while the service runs; restart it"
		end
		for key, value in pairs {
			name = "other", listen = 9000, mode = "tcp", sticky = "source",
			app = { script = "other.lua" },
		} do
			assert.equal(wrong(key), change_of { [key] = value })
		end
		assert.equal(wrong "app", change_of { app = { script = "server.lua", args = { "-v" } } })
		local machine = { image = "chat.img", port = 80 }
		assert.equal(wrong "backend", change_of { backend = "qemu", app = machine })
		local other = { image = "chat.img", port = 80, memory = "1G" }
		assert.equal(wrong "app", change_of({ backend = "qemu", app = other },
			{ backend = "qemu", app = machine }))
		assert.is_true(change_of({ listen = 8080 }, { listen = "127.0.0.1:8080" }))
	end)
end)
