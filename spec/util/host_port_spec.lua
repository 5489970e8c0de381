local host_port = require "gridcentric.util.host_port"

describe("host_port", function()
	it("reads and shows addresses", function()
		local cases = {
			[8080] = "127.0.0.1:8080", ["8080"] = "127.0.0.1:8080", [":80"] = "127.0.0.1:80",
			["localhost:1"] = "127.0.0.1:1", ["*:9"] = "0.0.0.0:9", ["10.1.2.3:0"] = "10.1.2.3:0",
			["[::1]:8080"] = "[::1]:8080", ["[::]:1"] = "[::]:1", ["[fe80::1:2]:1"] = "[fe80::1:2]:1",
			["[1:2:3:4:5:6:7:8]:1"] = "[1:2:3:4:5:6:7:8]:1", ["[1:2:3:4:5:6:7::]:1"] = "[1:2:3:4:5:6:7::]:1",
			["[::ffff:10.1.2.3]:1"] = "[::ffff:10.1.2.3]:1",
		}
		for text, expected in pairs(cases) do
			local address = assert(host_port.read(text))
			assert.equal(expected, host_port.show(address.host, address.port))
		end
		for _, text in ipairs { "host:80", "1.2.3:80", "1.2.3.256:80", "1.2.3.4", "1.2.3.4:", "::1:80",
			"1.2.3.4:65536", "localhost80", "", -1, 1.5, true, "[]:1", "[1:2]:1", "[:::]:1", "[1::2::3]:1",
			"[12345::]:1", "[1:2:3:4:5:6:7:8:9]:1", "[1:2:3:4:5:6:7::8]:1", "[1.2.3.4]:1",
			"[::1.2.3.256]:1", "[::1.2.3.4:1]:1", "[:1:2:3:4:5:6:7]:1" } do
			assert.is_nil(host_port.read(text), tostring(text))
		end
	end)
end)
