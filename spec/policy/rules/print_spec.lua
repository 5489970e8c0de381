-- Parsing what is printed gives the same tree, for many trees.

local generator = require "spec.support.rules"
local grammar = require "gridcentric.policy.rules.grammar"
local printer = require "gridcentric.policy.rules.print"

describe("printed rules", function()
	local function reprint(text)
		return printer.rules(assert(grammar.parse(text)))
	end

	it("have only the parentheses that they need", function()
		local function expression(text)
			return (reprint("up 1 when " .. text):gsub("^up 1 when ", ""))
		end
		assert.equal("a + b * c > 2", expression "((a) + (b * c)) > (2)")
		assert.equal("(a + b) * c > 2", expression "(a + b) * c > 2")
		assert.equal("a - b - c > 2", expression "(a - b) - c > 2")
		assert.equal("a - (b - c) > 2", expression "a - (b - c) > 2")
		assert.equal("a / (b * c) > 2", expression "a / (b * c) > 2")
		assert.equal("-a * -(-b) > -(c + d)", expression "(-a) * -(-b) > -(c + d)")
		assert.equal("not a > 1 and b > 2 or c > 3", expression "((not (a > 1)) and b > 2) or c > 3")
		assert.equal("not (a > 1 and (b > 2 or c > 3))", expression "not (a > 1 and (b > 2 or c > 3))")
	end)

	it("are one line each, in one spelling", function()
		assert.equal('up 50% when time in "Mon" and p95(my.x, 1m) > 2GiB for 3s\nat least 2 always',
			reprint [[
				up 50 %   when time in 'Mon' and   # why not
					p95( my.x , 1 m ) > 2 GiB for 3 s -- as long
				at
				least 2 always]])
	end)

	it("are read again as they were", function()
		for seed = 1, 3000 do
			local rules = generator.new(seed):rules()
			local text = printer.rules(rules)
			local read, at, message = grammar.parse(text)
			assert(read, ("seed %d: %s at %s: %s"):format(seed, text, at, message))
			assert.same(rules, read, "seed " .. seed .. ": " .. text)
			assert.equal(text, printer.rules(read))
		end
	end)
end)
