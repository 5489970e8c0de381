-- Whatever text comes, the rules are understood, or it is told what is wrong and where; soon.

local generator = require "spec.support.rules"
local printer = require "gridcentric.policy.rules.print"
local rules = require "gridcentric.policy.rules"
local support = require "spec.support.policy"

local SEEDS = {
	"up 1 when connections / clones > 2 for 3s",
	"down 50% when avg(cpu, 30s) < 20% and not held > 0 for 5m # quiet",
	'to 4 when time in "Mon-Fri 08:00-18:00" or time in "*/5 8-17 * * *"',
	"at least 2 always\nat most (2 + 3) * -4 / my.queue_depth when rate(memory, 1m) > 2.5 MB",
}
local PIECES = {
	"up", "down", "to", "at", "least", "always", "when", "for", "and", "or", "not", "in", "time", "(",
	")", "-", "--", "#", "/", "<", "==", "1", "1e9", "3s", "%", '"', "'", ",", "avg(", "my.", "cpu",
	"\n", "\0", "\255", "é", " ", "",
}

describe("any text", function()
	local made

	local function any(list) return list[made.random(#list)] end

	-- The text with something cut out, replaced, put in, or put twice.
	local function mutated(text)
		local from = made.random(#text + 1)
		local to = math.min(from + made.random(6) - 2, #text)
		local middle = text:sub(from, to)
		local other = any { "", any(PIECES), any(PIECES) .. middle, middle .. middle }
		return text:sub(1, from - 1) .. other .. text:sub(to + 1)
	end

	-- Reads the text, and asks the policy if that is one. Returns whether it is.
	local function try(text)
		local ok, scale = pcall(rules, text)
		if ok then
			local state = {}
			for now = 1, 3 do scale(now, support.sample { cpu = 0.5, time = 0 }, state) end
		else
			assert.matches("rules: line %d+, column %d+: .*\n\t.*\n\t *\t* *%^$", scale, 1, false,
				("%q"):format(text))
		end
		return ok
	end

	it("is read, or refused with a place", function()
		local understood = 0
		for seed = 1, 4000 do
			made = generator.new(seed)
			local text = any(SEEDS)
			for _ = 1, made.random(4) do text = mutated(text) end
			if try(text) then understood = understood + 1 end
		end
		assert.is_true(understood > 100)
	end)

	it("is read, or refused, as well if it is printed", function()
		for seed = 1, 1000 do
			made = generator.new(seed)
			local text = printer.rules(made:rules())
			try(text)
			try(mutated(text))
		end
	end)

	it("may be long, deep, or noise", function()
		for _, piece in ipairs {
			"(", "not ", "-", "- ", "1 + ", "1 < ", "avg(", "cpu and ", "a.", "up 1 when ", "up 1 always ",
			"at ", "#", "'", "\n", "1e", "9", "x", "é", "\255", "to 1 when (", "not (",
		} do
			for _, before in ipairs { "", "up ", "up 1 when ", "at least 1 when cpu > " } do
				try(before .. piece:rep(3000))
				try(before .. piece:rep(3000) .. "1 > 2")
			end
		end
		for seed = 1, 1000 do
			made = generator.new(seed)
			local bytes = {}
			for i = 1, made.random(100) do bytes[i] = string.char(made.random(256) - 1) end
			try(table.concat(bytes))
		end
	end)

	it("of many terms is computed, too", function()
		local sum = ("1 + "):rep(15000) .. "1"
		assert.equal(15001, (rules("to " .. sum .. " always")(1, support.sample(), {})))
		assert.is_true(try("to 1 when " .. ("held > 2 and "):rep(5000) .. "held > 1"))
		assert.is_true(try(("up 1 when held > 0\n"):rep(3000)))
	end)
end)
