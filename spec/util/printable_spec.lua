local printable = require "gridcentric.util.printable"

describe("a printable line", function()
	it("has a blank for control characters in a row", function()
		assert.equal("a b [1mc d", printable.line "a\r\n\0b\27[1mc\127d")
		assert.equal("a 31mb c", printable.line "a\xC2\x9B31mb\xC2\x85\n\xC2\x80c")
	end)

	it("is otherwise as it was", function()
		for _, text in ipairs { "", "plain", "grün", "\xC2\xA0\xC2\xBF", "\xE2\x82\x9B€" } do
			assert.equal(text, printable.line(text))
		end
	end)

	it("is UTF-8, whatever it was", function()
		assert.equal("a\u{FFFD}b\u{FFFD}", printable.line "a\xFFb\xC3")
		assert.equal("\u{FFFD}\u{FFFD}x", printable.valid "\xED\xFFx")
		assert.equal(2000000, utf8.len(printable.valid(("\xFF"):rep(2000000))))
	end)

	it("has no C1 made of what is left", function()
		for _, text in ipairs { "\xC2\xC2\x9B\x9B", "\xC2\7\x9B", "\xC2\xC2\x9B\xC2\x9B\x9B", "\xC2" } do
			for _, clean in ipairs { printable.line(text), printable.without_c1(text) } do
				assert.is_nil((clean .. "\x9B"):find "\xC2[\x80-\x9F]")
			end
		end
	end)

	it("is UTF-8 also where it is cut within a character", function()
		for _ = 1, 1000 do
			local bytes = {}
			for i = 1, 20 do bytes[i] = math.random(0, 255) end
			assert.is_truthy(utf8.len(printable.line(string.char(table.unpack(bytes)))))
		end
	end)

	it("is cut between characters", function()
		assert.equal("abc...", printable.line("abcdefgh", 6))
		for max = 5, 12 do
			local text = printable.cut(("€"):rep(10), max)
			assert.is_true(#text <= max)
			assert.is_truthy(utf8.len(text))
		end
		assert.is_true(#printable.line(("x"):rep(3000000)) <= 4096)
	end)

	it("can keep its line ends", function()
		assert.equal("a\n\tb c", printable.lines "a\n\tb\27\rc")
	end)
end)
