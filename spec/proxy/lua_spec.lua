-- Lua's side of the proxy, with a fake core. The other proxy specs are about the core's side.

describe("gridcentric.proxy", function()
	local handlers, handle, calls, given, errors, proxy
	local stubbed = { "gridcentric.core", "gridcentric.platform.async", "gridcentric.proxy" }

	-- Records the calls of its methods. Those that `fails` names fail with that error.
	local function new_handle(fails)
		local function method(name)
			return function(_, ...)
				calls[#calls + 1] = { name, ... }
				if fails[name] then return nil, fails[name] .. ": it does not work", fails[name] end
				return true
			end
		end
		return setmetatable({ address = function() return "127.0.0.1", 8080 end },
			{ __index = function(_, name) return method(name) end })
	end

	local function open(policy, fails)
		handlers, calls, errors = {}, {}, {}
		handle = new_handle(fails or {})
		policy.limits = policy.limits or {}
		policy.route = policy.route or {}
		policy.listen = policy.listen or { host = "127.0.0.1", port = 8080 }
		return proxy.open(policy, function(text) errors[#errors + 1] = text end)
	end

	setup(function()
		package.loaded["gridcentric.core"] = {
			new_proxy = function(_, options)
				given = options
				return handle
			end,
		}
		package.loaded["gridcentric.platform.async"] = {
			core = function() end,
			on = function(kind, fn) handlers[kind] = fn end,
		}
		proxy = require "gridcentric.proxy"
	end)

	teardown(function()
		for _, name in ipairs(stubbed) do package.loaded[name] = nil end
	end)

	it("gives the core the policy's limits, in the core's units", function()
		local p = assert(open {
			mode = "http", sticky = "cookie",
			limits = { sessions = 9, connections = 5, head = 4096, body = 0, idle_timeout = 1.5 },
		})
		assert.equal("127.0.0.1:8080", p.address)
		assert.same({
			mode = "http", cookie = "gridcentric-8080",
			max_connections = 5, max_head = 4096, max_body = 0, idle_timeout_ms = 1500,
		}, given)
		assert.same({ "listen", "127.0.0.1", 8080 }, calls[1])
	end)

	it("has no cookie where users are not recognised by one", function()
		open { mode = "tcp", sticky = false }
		assert.same({ mode = "tcp" }, given)
	end)

	it("says what to do where it cannot listen", function()
		local p, err, code = open({ mode = "http", listen = { host = "::1", port = 80 } },
			{ listen = "EACCES" })
		assert.is_nil(p)
		assert.equal("EACCES", code)
		assert.matches("^cannot it does not work; ports below 1024 need root", err)
		p, err = open({ mode = "http" }, { listen = "EADDRINUSE" })
		assert.is_nil(p)
		assert.matches("; another program listens there$", err)
		assert.same("close", calls[#calls][1])
	end)

	it("passes events to its handler", function()
		local told = {}
		local handler = setmetatable({}, { __index = function(_, name)
			return function(_, ...) told[#told + 1] = { name, ... } end
		end })
		assert(open { mode = "http" }):serve(handler)
		handlers.proxy_conn("proxy_conn", 1, "192.0.2.1", 999)
		handlers.proxy_request("proxy_request", 2, "192.0.2.1", "GET", "/", "host", "key")
		handlers.proxy_failed("proxy_failed", 3, "ECONNREFUSED", true)
		handlers.proxy_failed("proxy_failed", 3, "EPROTO", false, "several Content-Length fields")
		handlers.proxy_done("proxy_done", 4, 200, 3)
		handlers.proxy_done("proxy_done", 4, 503, -1)
		handlers.proxy_done("proxy_done", 4, 200, 3, "ECONNRESET")
		handlers.proxy_closed("proxy_closed", 5, 10, 20)
		assert.same({
			{ "on_connection", 1, "192.0.2.1" },
			{ "on_request", 2, "192.0.2.1",
				{ method = "GET", target = "/", host = "host", cookie = "key" } },
			{ "on_failure", 3, "ECONNREFUSED", true },
			{ "on_failure", 3, "EPROTO", false, "several Content-Length fields" },
			{ "on_done", 4, 200, 3 },
			{ "on_done", 4, 503 },
			{ "on_done", 4, 200, 3, "ECONNRESET" },
			{ "on_close", 5 },
		}, told)
	end)

	it("ends a connection whose handler fails", function()
		assert(open { mode = "http" }):serve { on_done = function() error "oops" end }
		handlers.proxy_done("proxy_done", 4, 200, 3)
		assert.matches("oops", errors[1])
		assert.same({ "drop", 4 }, calls[#calls])
	end)

	it("asks for the field that the route looks at, and passes it on", function()
		local p = assert(open { mode = "http", route = { header = "X-Tenant" } })
		assert.equal("X-Tenant", given.field)
		local seen
		p:serve { on_request = function(_, _, _, request) seen = request.header end }
		handlers.proxy_request("proxy_request", 2, "192.0.2.1", "GET", "/", "host", nil, "blue")
		assert.equal("blue", seen)
	end)

	it("uses another policy's limits", function()
		local p = assert(open { mode = "http", sticky = "cookie", limits = { head = 4096 } })
		p:use { mode = "http", sticky = "cookie", limits = { head = 1024 }, route = {} }
		assert.same({ "configure",
			{ mode = "http", cookie = "gridcentric-8080", max_head = 1024 } }, calls[#calls])
	end)

	it("gives users their cookie", function()
		local p = assert(open { mode = "http", sticky = "cookie" })
		p:route(7, "127.64.0.1", 80, "id.mac")
		assert.same({ "route", 7, "127.64.0.1", 80,
			"gridcentric-8080=id.mac; Path=/; HttpOnly; SameSite=Lax" }, calls[#calls])
		p:route(7, "127.64.0.1", 80)
		assert.same({ "route", 7, "127.64.0.1", 80 }, calls[#calls])
	end)

	it("reports what fails, unless the connection is over", function()
		local p = assert(open({ mode = "http" }, { route = "EINVAL", refuse = "ENOENT" }))
		p:route(7, "127.64.0.1", 80)
		p:refuse(7, 503, "no")
		assert.same({ "proxy: EINVAL: it does not work" }, errors)
	end)
end)
