local async = require "spec.support.async"
local clock = require "gridcentric.live.clock"
local uv = require "luv"

describe("clock", function()
	it("calls at the time, once, unless that is called off", function()
		async.run(function(t)
			local c = clock.new(error)
			local start = c.now()
			c.after(0.02, t.expect(function() assert.is_true(c.now() - start > 0.015) end))
			c.after(0, t.expect(function() end))
			c.after(0.001, t.expect(function() end, 0))()
			local cancel
			cancel = c.after(0, t.expect(function() cancel() end)) -- harmless when it has come
		end)
	end)

	it("counts from now, however long the turn of the loop has lasted", function()
		async.run(function(t)
			local c = clock.new(error)
			uv.sleep(30)
			local start = c.now()
			c.after(0.02, t.expect(function() assert.is_true(c.now() - start > 0.015) end))
		end)
	end)

	it("survives an error in what it calls", function()
		async.run(function(t)
			local c = clock.new(t.expect(function(text) assert.matches("oops", text) end))
			c.after(0, function() error "oops" end)
		end)
	end)
end)
