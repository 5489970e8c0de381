local console = require "gridcentric.platform.console"

describe("console", function()
	-- What becomes of bytes that come in pieces.
	local function shown(...)
		local c, out = console.new(), {}
		for _, bytes in ipairs { ... } do out[#out + 1] = c:add(bytes) end
		return table.concat(out)
	end

	it("makes all ends of lines the same", function()
		assert.equal("a\nb\n\nc\n", shown "a\r\nb\r\n\r\nc\r\r\n")
		assert.equal("10%\n20%\n", shown "10%\r20%\r\n")
	end)

	it("drops control sequences and characters", function()
		assert.equal("ready!\tgrün\n", shown "\27[1;32mready\27[0m!\tgr\xC3\xBCn\7\0\n")
		assert.equal("abc", shown "\27]0;title\7a\27P1$r\27\\b\27(Bc\27M")
		assert.equal("31mx", shown "\xC2\x9B31mx")
	end)

	it("recognises sequences that come in pieces", function()
		local bytes = "a\r\n\27[1mb\27]0;t\27\\c\r\r\n\xC3\xBC\xC2\x9B\27(Bd\n"
		local pieces = {}
		for i = 1, #bytes do pieces[i] = bytes:sub(i, i) end
		assert.equal(shown(bytes), shown(table.unpack(pieces)))
	end)

	it("makes no C1 character of what is left", function()
		for _, bytes in ipairs { "\xC2\xC2\x9B\x9B", "\xC2\7\x9B", ("\xC2"):rep(600) .. "\x9B\x9B" } do
			local pieces = {}
			for i = 1, #bytes do pieces[i] = bytes:sub(i, i) end
			assert.is_nil(shown(bytes):find "\xC2[\x80-\x9F]")
			assert.is_nil(shown(table.unpack(pieces)):find "\xC2[\x80-\x9F]")
		end
	end)

	it("gives the last lines", function()
		local c = console.new()
		for i = 1, 30 do c:add(("line %d\r\n\r\n"):format(i)) end
		assert.same({ "line 29", "line 30" }, c:last(2))
		assert.equal(30, #c:last(100))
		assert.same({}, console.new():last(20))
		c:add(("x"):rep(1000))
		assert.equal(200, #c:last(1)[1])
	end)

	it("keeps only the end of a flood", function()
		local c = console.new()
		for _, flood in ipairs { "\r", " ", "\27", "\27[1", "\27]0", "\xC2", "x", "\n" } do
			for _ = 1, 4 do c:add(flood:rep(100000)) end
			assert(#c.kept <= 65536 and #c.rest <= 256)
			c:last(20)
		end
	end)
end)
