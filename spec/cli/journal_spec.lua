local async = require "spec.support.async"
local journal = require "gridcentric.cli.journal"
local terminal = require "gridcentric.cli.terminal"

describe("journal", function()
	local function lines_of(shown)
		local lines = {}
		local log = journal.new(shown, function(line) lines[#lines + 1] = line end,
			function() return 1700000000 end)
		log.event("ready", 3, "clone 3\n\xC2\x9Bready")
		log.event("decision", nil, "0 -> 1 clone")
		return lines
	end

	it("is to be parsed where nobody reads it", function()
		assert.same({
			"2023-11-14T22:13:20Z ready 3 clone 3 ready",
			"2023-11-14T22:13:20Z decision - 0 -> 1 clone",
		}, lines_of(terminal.new(false)))
	end)

	it("has the local time, as events have", function()
		async.run(function(t)
			local p = t.spawn { "lua5.4", "-e", [[
				local terminal = require("gridcentric.cli.terminal").new(false)
				require("gridcentric.cli.journal").new(terminal, print, function() return 1700000000 end)
					.event("start", nil, "x")
				print(require("gridcentric.cli.history").line {
					at = 1700000000123, engine = "c-1", what = "start", text = "x",
				})
			]], env = { TZ = "XXX-5:30" } }
			assert.equal(0, p:wait(), p.stderr)
			assert.matches("^2023%-11%-15T03:43:20%+05:30 start %- x\n2023%-11%-15 03:43:20%.123 ", p.stdout)
		end)
	end)

	it("shortens what is far too long", function()
		local lines = {}
		journal.new(terminal.new(false), function(line) lines[1] = line end)
			.event("policy", nil, ("x"):rep(3000000))
		assert.is_true(#lines[1] < 5000)
	end)

	it("is to be read on a terminal", function()
		local lines = lines_of(terminal.new(true, 80, function() end))
		assert.matches("^\27%[2m%d%d:%d%d:%d%d\27%[0m  \27%[32mclone 3 ready\27%[0m$", lines[1])
	end)
end)
