-- Files with generated parts are up to date: see .ci/generate.lua.

local async = require "spec.support.async"
local paths = require "spec.support.paths"

describe("generated files #lint", function()
	local function generate(t, argument)
		local p = t.spawn { "lua5.4", ".ci/generate.lua", argument, cwd = paths.root }
		return p:wait(), p.stdout .. p.stderr
	end

	it("are up to date", function()
		async.run(function(t)
			local status, said = generate(t, "--check")
			assert.equal(0, status, said)
			assert.equal("", said)
		end)
	end)
end)

describe("gcscale_manual", function()
	package.path = paths.root .. "/.ci/?.lua;" .. package.path
	local fill = require "gcscale_manual"

	local function read_page()
		local file = assert(io.open(paths.root .. "/man/gcscale.1"))
		local text = file:read "a"
		file:close()
		return text
	end

	it("replaces what was changed by hand", function()
		local page = read_page()
		local changed, n = page:gsub("\nDraw the chart", "\nPaint the chart")
		assert.equal(1, n)
		assert.equal(page, fill(changed))
	end)

	it("misses a part that the page does not have", function()
		local page = read_page():gsub('%.\\" generated: options replay\n', "")
		assert.has_error(function() fill(page) end, "gcscale.1 lacks a part: options replay")
	end)
end)
