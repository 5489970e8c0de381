local pattern = require "gridcentric.policy.sandbox.pattern"

-- Texts and patterns of these pieces.
local TEXT = { "a", "b", "ab", "(", ")", " ", "1", "\0", "x=y", "%", "." }
local PATTERN = {
	"a", "b", ".", "%a", "%A", "%d", "%s", "%w", "[ab]", "[^ab]", "[a-c%d]", "[]]", "[^%s=]", "(", ")",
	"()", "*", "+", "-", "?", "^", "$", "%b()", "%f[%w]", "%1", "%%", "%.", "=",
}

-- The same numbers for the same seed.
local function new_random(seed)
	local state = seed
	return function(n)
		state = state * 48271 % 2147483647
		return state % n + 1
	end
end

local function made_of(pieces, random, most)
	local parts = {}
	for i = 1, random(most + 1) - 1 do parts[i] = pieces[random(#pieces)] end
	return table.concat(parts)
end

-- All that a function returns; of an error only that there was one.
local function all_of(fn, ...)
	local results = table.pack(pcall(fn, ...))
	if not results[1] then return { false } end
	return results
end

local function collect(gmatch, ...)
	local found = {}
	for a, b in gmatch(...) do
		found[#found + 1] = { a, b }
		if #found > 50 then break end
	end
	return found
end

describe("a pattern matched in Lua", function()
	it("is matched as C does it", function()
		local random, matched = new_random(42), 0
		for _ = 1, 30000 do
			local s, p = made_of(TEXT, random, 8), made_of(PATTERN, random, 6)
			local where = ("%q, %q"):format(s, p)
			assert.same(all_of(string.find, s, p), all_of(pattern.find, s, p), where)
			assert.same(all_of(string.match, s, p, 2), all_of(pattern.match, s, p, 2), where)
			assert.same(all_of(string.gsub, s, p, "<%0>"), all_of(pattern.gsub, s, p, "<%0>"), where)
			assert.same(all_of(collect, string.gmatch, s, p), all_of(collect, pattern.gmatch, s, p), where)
			if all_of(string.find, s, p)[2] then matched = matched + 1 end
		end
		assert.is_true(matched > 3000)
	end)

	it("replaces by tables and functions, so many times", function()
		for _, repl in ipairs { { a = "1", b = false }, function(c) return c == "a" and 7 end, "[%1]" } do
			for most = 0, 3 do
				assert.same({ ("abab"):gsub("(%a)", repl, most) },
					{ pattern.gsub("abab", "(%a)", repl, most) })
			end
		end
		assert.is_false((pcall(pattern.gsub, "a", "a", "%9")))
	end)

	it("finds plain text, and from behind", function()
		assert.same({ ("a.b"):find(".", 1, true) }, { pattern.find("a.b", ".", 1, true) })
		assert.same({ ("abab"):find("a", -2) }, { pattern.find("abab", "a", -2) })
		assert.same({ ("ab"):find("", 10) }, { pattern.find("ab", "", 10) })
	end)
end)
