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
	{ "a blank behind the size of a request", "1 \r\nx\r\n" },
	{ "a size that is no number", "g\r\nx\r\n" },
	{ "a size that overflows", "10000000000000000\r\nx\r\n" },
	{ "a size of many zeros", ("0"):rep(16) .. "\r\n\r\n" },
	{ "content longer than its size", "1\r\nxy\r\n0\r\n\r\n" },
	{ "a control byte in an extension", "1;a\1\r\nx\r\n" },
	{ "a LF in an extension", "1;a\nb\r\nx\r\n" },
	{ "an extension that is too long", "1;" .. ("a"):rep(257) .. "\r\nx\r\n" },
	{ "a trailer without colon", "0\r\nA\r\n\r\n" },
	{ "an endless trailer", "0\r\nA: " .. ("b"):rep(4096) },
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

	it("reads everything until close", function()
		assert.same({ 5, "hello", false }, { http.body("until close", "hello") })
	end)

	it("finds the end of chunks", function()
		local text = "5\r\nhello\r\n00C;a=\"b\";c\r\n, 12345 more\r\n0\r\n\r\n"
		assert.same({ #text, "hello, 12345 more", true }, { http.body("chunked", text .. "GET /") })
	end)

	it("counts trailers as part of the body", function()
		local text = "0;last\r\nA: 1\r\nB:\r\n\r\n"
		assert.same({ #text, "", true }, { http.body("chunked", text .. "\r\n") })
	end)

	it("does not end before the last byte", function()
		local text = "a\r\n0123456789\r\n0\r\nA: 1\r\n\r\n"
		for len = 0, #text - 1 do
			local read, _, ended = http.body("chunked", text:sub(1, len))
			assert.is_true(read <= len)
			assert.is_false(ended)
		end
	end)

	describe("in responses, which real servers pad,", function()
		for _, size in ipairs { "5 ", "5\t \t", "5 ;ext=a", "5   ; a=b ; c" } do
			it(("reads the size %q"):format(size), function()
				local text = size .. "\r\nhello\r\n0 \r\n\r\n"
				assert.same({ #text, text, true }, { http.body("chunked", text, 0, 0, "padded") })
				assert.same({ nil, "EPROTO" }, { http.body("chunked", text) })
			end)
		end

		it("refuses blanks before, within and without digits, and without end", function()
			for _, size in ipairs { " 5", "5 5", " ", "5" .. (" "):rep(257), "5 x" } do
				assert.same({ nil, "EPROTO" },
					{ http.body("chunked", size .. "\r\nhello\r\n", 0, 0, "padded") })
			end
		end)
	end)

	describe("trailers", function()
		local function raw(...)
			local lines = table.concat({ ... }, "\r\n")
			return http.body("chunked", "1\r\nx\r\n0\r\n" .. lines .. "\r\n\r\n", 0, 0, "raw")
		end

		it("are passed on as they came", function()
			local text = "1\r\nx\r\n0\r\nDigest:  abc \r\ngrpc-status: 0\r\n\r\n"
			assert.same({ #text, text, true }, { raw("Digest:  abc ", "grpc-status: 0") })
		end)

		for _, name in ipairs { "X-Forwarded-For", "x_forwarded_proto", "Host", "Content-Length",
			"content_length", "Transfer-Encoding", "Connection", "Cookie", "Authorization",
			"Forwarded", "X-Real-IP", "Expect" } do
			it("named " .. name .. " are dropped", function()
				local read, kept, ended = raw("A: 1", name .. ": 5", "B: 2")
				assert.equal("1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", kept)
				assert.equal(#kept + #name + #": 5\r\n", read)
				assert.is_true(ended)
			end)
		end

		it("are not passed on in part", function()
			local text = "0\r\nX-Forwarded-For: 192.0.2.1"
			for len = 3, #text do
				assert.same({ 3, "0\r\n", false },
					{ http.body("chunked", text:sub(1, len), 0, 0, "raw") })
			end
		end)
	end)

	it("limits the content and not its framing", function()
		local text = "3\r\nabc\r\n0\r\n\r\n"
		assert.equal(#text, (http.body("chunked", text, 0, 3)))
		assert.same({ nil, "EFBIG" }, { http.body("chunked", text, 0, 2) })
		assert.same({ nil, "EFBIG" }, { http.body("until close", "abc", 0, 2) })
	end)
end)
