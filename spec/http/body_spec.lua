local http = require "gridcentric.spec_http"

-- Chunked bodies that are refused: name, text.
local refused = {
	{ "a bare LF behind the size", "1\nx\r\n0\r\n\r\n" },
	{ "a bare LF behind the content", "1\r\nx\n0\r\n\r\n" },
	{ "a bare LF at the end", "0\r\n\n" },
	{ "a bare CR behind the size", "1\rx\r\n0\r\n\r\n" },
	{ "no size", "\r\nx\r\n" },
	{ "an extension without size", ";a=b\r\n" },
	{ "a size with a sign", "+1\r\nx\r\n" },
	{ "a negative size", "-1\r\nx\r\n" },
	{ "a size with 0x", "0x1\r\nx\r\n" },
	{ "a blank before the size", " 1\r\nx\r\n" },
	{ "a blank behind the size", "1 \r\nx\r\n" },
	{ "a size that is no number", "g\r\nx\r\n" },
	{ "a size that overflows", "10000000000000000\r\nx\r\n" },
	{ "a size of many zeros", ("0"):rep(16) .. "\r\n\r\n" },
	{ "content longer than its size", "1\r\nxy\r\n0\r\n\r\n" },
	{ "a control byte in an extension", "1;a\1\r\nx\r\n" },
	{ "a LF in an extension", "1;a\nb\r\nx\r\n" },
	{ "an extension that is too long", "1;" .. ("a"):rep(257) .. "\r\nx\r\n" },
	{ "a trailer without colon", "0\r\nA\r\n\r\n" },
	{ "a trailer without name", "0\r\n: 1\r\n\r\n" },
	{ "a folded trailer", "0\r\nA: 1\r\n 2\r\n\r\n" },
	{ "a blank before the colon of a trailer", "0\r\nA : 1\r\n\r\n" },
	{ "a NUL in a trailer", "0\r\nA: \0\r\n\r\n" },
	{ "a bare LF behind a trailer", "0\r\nA: 1\n\r\n" },
	{ "trailers that are too long", "0\r\n" .. ("A: 1\r\n"):rep(1000) .. "\r\n" },
}

describe("http_body", function()
	for _, case in ipairs(refused) do
		it("refuses " .. case[1], function()
			local taken, code = http.body("chunked", case[2])
			assert.is_nil(taken)
			assert.equal("EPROTO", code)
		end)
	end

	it("ends at once without a body", function()
		assert.same({ 0, "", true }, { http.body("none", "GET /") })
	end)

	it("counts down a length", function()
		assert.same({ 5, "hello", true }, { http.body("length", "helloGET /", 5) })
		assert.same({ 5, "hello", false }, { http.body("length", "hello", 6) })
	end)

	it("takes everything until close", function()
		assert.same({ 5, "hello", false }, { http.body("until close", "hello") })
	end)

	it("finds the end of chunks", function()
		local text = "5\r\nhello\r\n00C;a=\"b\";c\r\n, 12345 more\r\n0\r\n\r\n"
		assert.same({ #text, "hello, 12345 more", true }, { http.body("chunked", text .. "GET /") })
	end)

	it("takes trailers to the body", function()
		local text = "0;last\r\nA: 1\r\nB:\r\n\r\n"
		assert.same({ #text, "", true }, { http.body("chunked", text .. "\r\n") })
	end)

	it("is not at the end before the last byte", function()
		local text = "a\r\n0123456789\r\n0\r\nA: 1\r\n\r\n"
		for len = 0, #text - 1 do
			local taken, _, ended = http.body("chunked", text:sub(1, len))
			assert.equal(len, taken)
			assert.is_false(ended)
		end
	end)

	it("limits the content, not its framing", function()
		local text = "3\r\nabc\r\n0\r\n\r\n"
		assert.equal(#text, (http.body("chunked", text, 0, 3)))
		assert.same({ nil, "EFBIG" }, { http.body("chunked", text, 0, 2) })
		assert.same({ nil, "EFBIG" }, { http.body("until close", "abc", 0, 2) })
	end)
end)
