-- Text of other programs.

local spec_base = require "gridcentric.spec_base"

describe("a tail", function()
	it("keeps the last bytes", function()
		assert.equal("abc", spec_base.append_tail("", 4, "abc"))
		assert.equal("abcd", spec_base.append_tail("abc", 4, "d"))
		assert.equal("bcde", spec_base.append_tail("abcd", 4, "e"))
		assert.equal("defg", spec_base.append_tail("abcd", 4, "efg"))
		assert.equal("6789", spec_base.append_tail("abcd", 4, "0123456789"))
		assert.equal("abcd", spec_base.append_tail("abcd", 4, ""))
	end)
end)

describe("cleaned text", function()
	it("keeps what can be shown, in any script", function()
		for _, text in ipairs{ "", "plain\n\ttext", "häß", "日本語", "𝄞", "\u{a0}", "\u{10ffff}" } do
			assert.equal(text, spec_base.clean(text))
		end
	end)

	it("has a question mark for each control character", function()
		assert.equal("a?b?c?", spec_base.clean "a\1b\27c\127")
		assert.equal("??", spec_base.clean "\u{85}")
	end)

	it("has a question mark for each byte that is not UTF-8", function()
		for text, expected in pairs{
			["\255"] = "?",
			["a\128b"] = "a?b",
			["\xc3"] = "?", -- cut short
			["\xe2\x82"] = "??",
			["\xc0\xaf"] = "??", -- longer than needed
			["\xe0\x80\xaf"] = "???",
			["\xed\xa0\x80"] = "???", -- half of a surrogate pair
			["\xf4\x90\x80\x80"] = "????", -- beyond the last code point
			["\xf8\x88\x80\x80\x80"] = "?????",
			["\xc3a"] = "?a",
		} do
			assert.equal(expected, spec_base.clean(text))
		end
	end)
end)
