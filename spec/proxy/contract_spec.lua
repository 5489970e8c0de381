-- All proxies keep one contract: contract.lua.

local gridcentric_async = require "gridcentric.platform.async"
local async = require "spec.support.async"
local contract = require "spec.proxy.contract"
local fake_proxy = require "spec.support.fake_proxy"
local live = require "gridcentric.proxy"
local model = require "gridcentric.replay.proxy"
local policy = require "gridcentric.config.load"
local virtual = require "gridcentric.replay.clock"

gridcentric_async.core() -- opened once, before any run looks at what is open

describe("the proxy of replay", function()
	for _, case in ipairs(contract) do
		it(case.title, function()
			local clock, now = virtual.new(0), 0
			local proxy = model.new(clock, "http")
			case.check {
				proxy = proxy, ip = "127.0.0.1", port = 80,
				connect = function()
					local conn
					return {
						-- this client asks again when it is taken from its server
						ask = function()
							if conn then proxy:detach(conn) else conn = proxy:open("192.0.2.1") end
						end,
						hang_up = function() proxy:hang_up(conn) end,
					}
				end,
				wait = function(predicate, what)
					for _ = 1, 1000 do
						if predicate() then return end
						now = now + 0.01
						clock.advance(now)
					end
					error("did not come: " .. what)
				end,
			}
		end)
	end
end)

describe("the proxy of the specs", function()
	for _, case in ipairs(contract) do
		it(case.title, function()
			local proxy = fake_proxy.new()
			local clients = {}
			case.check {
				proxy = proxy, ip = "127.0.0.1", port = 80,
				connect = function()
					local client = proxy:client()
					table.insert(clients, client)
					return {
						ask = function() client:request() end,
						hang_up = function() client:close() end,
					}
				end,
				wait = function(predicate, what)
					if predicate() then return end
					proxy:turn()
					for _, client in ipairs(clients) do
						if client.at or client.refused then client:done(client.refused) end
					end
					assert(predicate(), "did not come: " .. what)
				end,
			}
		end)
	end
end)

describe("gridcentric.proxy", function()
	-- Takes one response of the server or the proxy, and gives its cookie.
	local function take_response(connection)
		local head = assert(connection:read_until "\r\n\r\n")
		local length = tonumber(head:match "[Cc]ontent%-[Ll]ength: (%d+)")
		if length > 0 then assert(connection:read_exactly(length)) end
		return head:match "[Ss]et%-[Cc]ookie: ([^;]+)"
	end

	local function run(case)
		async.run(function(t)
			local serving = 0
			local port = t.listen(function(c)
				serving = serving + 1
				while c:read_until "\r\n\r\n" do
					c:write "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
				end
				c:close()
				serving = serving - 1
			end)
			local p = assert(policy.check { app = { script = "x.lua", port = 1 }, listen = "127.0.0.1:0",
				clones = { min = 0, max = 1 } })
			local proxy = assert(live.open(p, function(err) error(err) end))
			local where = tonumber(proxy.address:match ":(%d+)$")
			case.check {
				proxy = proxy, ip = "127.0.0.1", port = port, wait = function(predicate, what)
					t.wait_until(predicate, nil, what)
				end,
				connect = function()
					local connection = assert(t.connect { host = "127.0.0.1", port = where })
					local asked, cookie
					return {
						ask = function()
							if asked then cookie = take_response(connection) or cookie end
							asked = true
							connection:write("GET / HTTP/1.1\r\nHost: here\r\n"
								.. (cookie and "Cookie: " .. cookie .. "\r\n" or "") .. "\r\n")
						end,
						hang_up = function() connection:close() end,
					}
				end,
			}
			proxy:close()
			t.wait_until(function() return serving == 0 end, nil, "the end of the server's connections")
		end)
	end

	for _, case in ipairs(contract) do
		it(case.title, function() run(case) end)
	end
end)
