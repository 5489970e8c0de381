local proxy = require "gridcentric.replay.proxy"
local virtual = require "gridcentric.replay.clock"

describe("replay.proxy", function()
	local clock, model, told

	local function open(mode)
		clock, told = virtual.new(0), {}
		model = proxy.new(clock, mode)
		local handler = {}
		for _, name in ipairs { "on_connection", "on_request", "on_done", "on_close" } do
			handler[name] = function(_, conn, what, request)
				local text = request and request.cookie or what
				told[#told + 1] = ("%s %d%s"):format(name, conn, text and " " .. text or "")
			end
		end
		model:serve(handler)
	end

	it("asks on a new connection, and has the answer after a time", function()
		open "http"
		local conn = model:open("10.0.0.1", "key")
		model:route(conn, "127.0.0.1", 1)
		assert.same({ "on_request 1 key" }, told)
		clock.advance(1)
		model:hang_up(conn)
		model:hang_up(conn)
		assert.same({ "on_request 1 key", "on_done 1 200", "on_close 1" }, told)
	end)

	it("shows the cookie that it was given when it asks again", function()
		open "http"
		local conn = model:open "10.0.0.1"
		model:route(conn, "127.0.0.1", 1, "new")
		clock.advance(1)
		model:detach(conn)
		clock.advance(2)
		assert.same({ "on_request 1 10.0.0.1", "on_done 1 200", "on_request 1 new" }, told)
	end)

	it("tells nothing of one that has hung up", function()
		open "http"
		local conn = model:open "10.0.0.1"
		model:route(conn, "127.0.0.1", 1)
		model:detach(conn)
		model:hang_up(conn)
		clock.advance(5)
		assert.same({ "on_request 1 10.0.0.1", "on_close 1" }, told)
	end)

	it("answers the refused, and closes them in tcp mode", function()
		open "http"
		model:refuse(model:open "10.0.0.1", 503)
		clock.advance(1)
		assert.same({ "on_request 1 10.0.0.1", "on_done 1 503" }, told)
		open "tcp"
		model:refuse(model:open "10.0.0.1", 503)
		assert.same({ "on_connection 1 10.0.0.1" }, told)
		clock.advance(1)
		assert.same({ "on_connection 1 10.0.0.1", "on_close 1" }, told)
	end)

	it("ends connections that are dropped", function()
		open "http"
		model:drop(model:open "10.0.0.1")
		clock.advance(0)
		assert.equal("on_close 1", told[2])
	end)
end)
