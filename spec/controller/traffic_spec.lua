local fake_clock = require "spec.support.fake_clock"
local fake_proxy = require "spec.support.fake_proxy"
local policy = require "gridcentric.config.load"
local pool = require "gridcentric.controller.pool"
local requests = require "gridcentric.metrics.requests"
local router = require "gridcentric.controller.router"
local traffic = require "gridcentric.controller.traffic"

-- Whose connections are; what becomes of them when clones come and go is in controller_spec.lua.
describe("traffic", function()
	local clock, proxy, clones, all, arrivals, outcomes, bad_answers, vacant

	-- With two clones, and round_robin between them.
	local function start(given)
		given.app, given.route = { script = "server.lua" }, given.route or "round_robin"
		outcomes, bad_answers, vacant = {}, {}, {}
		clock, proxy, clones, arrivals = fake_clock.new(), fake_proxy.new(), pool.new(), 0
		local keys = 0
		local p = assert(policy.check(given))
		all = traffic.new {
			policy = p,
			proxy = proxy,
			router = router.new { route = p.route, pool = clones, seed = 1 },
			clock = clock,
			new_key = function()
				keys = keys + 1
				return "key" .. keys
			end,
			is_key = function(value) return value:find "^key" ~= nil end,
			requests = requests.new(clock.now()),
			on_arrival = function() arrivals = arrivals + 1 end,
			on_outcome = function(clone, failure, status)
				table.insert(outcomes, clone.vmid .. " " .. (failure or status or "over"))
			end,
			on_bad_answer = function(clone, detail)
				table.insert(bad_answers, clone.vmid .. " " .. detail)
			end,
			on_vacant = function(clone) table.insert(vacant, clone.vmid) end,
			on_empty = function() end,
		}
		proxy:serve(all)
		for vmid = 1, 2 do
			local clone = clones:plan(0)
			clones:move(clone, "starting")
			clones:serve(clone, vmid, { ip = "clone" .. vmid, port = 80 }, 0)
		end
	end

	describe("with cookies", function()
		before_each(function() start {} end)

		it("offers a cookie until it comes back", function()
			local user = proxy:client()
			user:request()
			assert.equal("key1", user.offered)
			user:request()
			assert.is_nil(user.offered)
			assert.equal(1, all.sessions.count)
		end)

		it("knows a user on several connections", function()
			local user = proxy:client()
			user:request()
			local tab = proxy:client { cookie = user.cookie }
			tab:request()
			assert.equal("clone1", tab.at)
			assert.equal(1, all.sessions.count)
			assert.equal(2, clones.ready[1].connections)
			assert.equal(1, clones.ready[1].sessions)
			tab:close()
			user:close()
			assert.equal(0, clones.ready[1].connections)
			assert.equal(1, clones.ready[1].sessions)
			clock.advance(60)
			all:expire()
			assert.equal(0, clones.ready[1].sessions)
		end)

		it("takes one who shows a forged or stale cookie for somebody new", function()
			local user = proxy:client { cookie = "forged", keeps_cookies = false }
			user:request()
			assert.equal("key1", user.offered)
			assert.equal(1, all.sessions.count)
		end)

		it("counts forged cookies, and stale ones, which were its own", function()
			for _, cookie in ipairs { "forged", "key99", "key100" } do
				proxy:client({ cookie = cookie, keeps_cookies = false }):request()
			end
			local user = proxy:client()
			user:request()
			user:request()
			assert.equal(1, all.counters.forged_cookies)
			assert.equal(2, all.counters.stale_cookies)
		end)

		it("tells of requests and answers, with the time only of those that a clone gave", function()
			local user = proxy:client()
			for _ = 1, 3 do
				user:request()
				user:done(200, 8)
			end
			proxy.handler:on_done(user.conn, 503)
			local measured = all.requests:measure(clock.now())
			assert.equal(3, measured.requests)
			assert.equal(1, measured.errors)
			assert.equal(3, all.requests.latency.count)
			assert.equal(3, all.requests.classes["2xx"])
		end)

		it("offers each request without a cookie one of its own, and counts one user", function()
			local program = proxy:client { keeps_cookies = false }
			for i = 1, 5 do
				program:request()
				assert.equal("key" .. i, program.offered)
				assert.equal(1, all.sessions.count)
			end
			assert.equal(1, arrivals)
			assert.equal(1, clones.ready[1].sessions + clones.ready[2].sessions)
		end)

		it("counts users behind one connection as soon as their cookies come back", function()
			local front, cookies = proxy:client(), {}
			for i = 1, 4 do
				front.cookie = nil
				front:request()
				cookies[i] = front.offered
			end
			assert.equal(1, all.sessions.count)
			local at = {}
			for i, cookie in ipairs(cookies) do
				front.cookie = cookie
				front:request()
				at[i] = front.at
			end
			assert.equal(4, all.sessions.count)
			assert.same({ "clone1", "clone2", "clone1", "clone2" }, at)
			assert.same({ 2, 2 }, { clones.ready[1].sessions, clones.ready[2].sessions })
			assert.equal(4, arrivals)
		end)

		it("tells users apart who come by one connection, as through another proxy", function()
			local front = proxy:client()
			front:request()
			front:request() -- the first user's cookie is known now
			front.cookie = nil
			front:request()
			assert.equal("clone2", front.at)
			assert.equal(2, all.sessions.count)
			front.cookie = "key1"
			front:request()
			assert.equal("clone1", front.at)
			assert.equal(1, clones.ready[1].connections)
			assert.equal(0, clones.ready[2].connections)
		end)

		it("tells of each new session and connection once", function()
			local user = proxy:client()
			user:request()
			user:request()
			assert.equal(1, arrivals)
			user:close()
			user:request()
			assert.equal(2, arrivals)
		end)

		it("does not count a connection that never asked for anything", function()
			all:on_close(77)
			assert.equal(0, all.connections)
			assert.equal(0, arrivals)
		end)
	end)

	describe("that counts confirmed users", function()
		before_each(function() start { count = "confirmed" } end)

		it("does not scale for programs that keep no cookie", function()
			for _ = 1, 10 do
				local check = proxy:client { keeps_cookies = false }
				check:request()
				assert.equal("clone", check.at:sub(1, 5))
				check:done()
				check:close()
			end
			assert.equal(0, all.sessions.count)
			assert.equal(0, clones.ready[1].sessions + clones.ready[2].sessions)
		end)

		it("counts a user whose cookie comes back, at the clone that served the first request", function()
			local user = proxy:client()
			user:request()
			local first, before = user.at, arrivals
			user:request()
			assert.equal(first, user.at)
			assert.equal(1, all.sessions.count)
			assert.equal(before + 1, arrivals)
			assert.same({ 1, 0 }, { clones.ready[1].sessions, clones.ready[2].sessions })
		end)
	end)

	describe("that ignores requests", function()
		before_each(function() start { ignore = { path = "/healthz", agent = "kube-probe/" } } end)

		local function ignored(user, target, agent)
			user:request(target, agent)
			return user.at and user.offered == nil and all.sessions.total == 0
		end

		it("knows them by path or agent", function()
			for target, agent in pairs {
				["/healthz"] = "x", ["/healthz?full=1"] = "x", ["http://a/healthz"] = "x",
				["/"] = "kube-probe/1.27",
			} do
				assert.is_true(ignored(proxy:client(), target, agent))
			end
			for target, agent in pairs {
				["/healthz/"] = "x", ["/other?/healthz"] = "x", ["/HEALTHZ"] = "kube-prober",
			} do
				local user = proxy:client()
				user:request(target, agent)
				assert.is_string(user.offered)
			end
		end)

		it("counts them nowhere, and has any clone answer", function()
			local check = proxy:client()
			for _ = 1, 3 do
				assert.is_true(ignored(check, "/healthz"))
				check:done(500)
			end
			check:close()
			assert.same({ 0, 0, 0 }, { arrivals, all.connections, all.counters.requests })
			assert.equal(0, all.requests.classes["5xx"])
			assert.same({ "1 500", "1 500", "1 500" }, outcomes)
			assert.same({ 0, 0 }, { clones.ready[1].connections, clones.ready[1].sessions })
		end)

		it("serves users on the same connection", function()
			local front = proxy:client()
			front:request "/healthz"
			front:done()
			front:request "/"
			assert.equal("key1", front.offered)
			front:done()
			front.offered = nil
			front:request "/healthz"
			assert.is_nil(front.offered)
			assert.equal(1, all.sessions.count)
			front:close()
			assert.equal(0, all.connections)
		end)

		it("asks another clone where one fails, and waits where there is none", function()
			local check = proxy:client()
			check:request "/healthz"
			assert.equal("clone1", check.at)
			check:fail(true)
			assert.equal("clone2", check.at)
			check:done()
			for _, clone in ipairs { table.unpack(clones.ready) } do clones:move(clone, "dead") end
			local other = proxy:client()
			other:request "/healthz"
			assert.is_nil(other.at)
			assert.equal(1, all.held.length)
			all:drain()
			assert.equal(503, other.refused)
		end)
	end)

	it("knows users by their address", function()
		start { sticky = "source" }
		local user, neighbour = proxy:client(), proxy:client()
		local other = proxy:client { ip = "192.0.2.2" }
		user:request()
		neighbour:request()
		other:request()
		assert.same({ "clone1", "clone1", "clone2" }, { user.at, neighbour.at, other.at })
		assert.equal(2, all.sessions.count)
		assert.is_nil(user.offered)
	end)

	it("takes each connection for a user where nothing tells users", function()
		start { sticky = false }
		local user, other = proxy:client(), proxy:client()
		user:request()
		user:request()
		other:request()
		assert.same({ "clone1", "clone2" }, { user.at, other.at })
		assert.equal(2, all.sessions.count)
		user:close()
		assert.equal(1, all.sessions.count)
		assert.equal(0, clones.ready[1].sessions)
	end)

	it("takes each connection for a user in tcp mode", function()
		start { mode = "tcp" }
		local user, other = proxy:client(), proxy:client()
		user:connect()
		other:connect()
		assert.same({ "clone1", "clone2" }, { user.at, other.at })
		assert.equal(0, all.counters.requests)
	end)

	it("refuses those beyond limits.sessions", function()
		start { limits = { sessions = 2 } }
		local users = {}
		for i = 1, 3 do
			users[i] = proxy:client()
			users[i]:request()
		end
		assert.equal(503, users[3].refused)
		assert.is_nil(users[2].refused)
		assert.equal(1, all.counters.refused)
		assert.same({ full = 0, late = 0, sessions = 1, failed = 0, ending = 0 }, all.refusals)
		users[3]:close()
		assert.equal(2, all.connections)
	end)

	it("places users anew only when their clone cannot be used any more", function()
		start {}
		local user = proxy:client()
		user:request()
		clones:move(clones.ready[1], "draining")
		user:request()
		assert.equal("clone2", user.at)
		assert.equal(1, clones.ready[1].sessions)
		assert.equal(0, clones.draining[1].sessions)
	end)

	it("routes each request anew where nobody is known and the route looks at requests", function()
		start { sticky = false, route = require "gridcentric.route.hash" { by = "path" } }
		local user, seen = proxy:client(), {}
		for i = 1, 40 do
			user:request("/" .. i % 20)
			seen[i] = user.at
			user:done()
		end
		local other = {}
		for i = 1, 20 do
			assert.equal(seen[i], seen[i + 20])
			other[seen[i]] = true
		end
		assert.is_true(other.clone1 and other.clone2)
		assert.equal(1, clones.ready[1].sessions + clones.ready[2].sessions)
		assert.equal(1, clones.ready[1].connections + clones.ready[2].connections)
	end)

	it("keeps a user on a clone whatever the route looks at", function()
		start { route = require "gridcentric.route.hash" { by = "path" } }
		local user = proxy:client()
		user:request "/a"
		local first = user.at
		for i = 1, 20 do
			user:request("/" .. i)
			assert.equal(first, user.at)
		end
	end)

	it("tells what became of what was sent to a clone", function()
		start { limits = { sessions = 1 } }
		local user = proxy:client()
		user:request()
		user:done(204)
		user:request()
		user:fail(true) -- is tried on the other
		user:done(500)
		local refused = proxy:client()
		refused:request()
		refused:done(503)
		user:request()
		user:fail(false)
		user:done(502)
		assert.same({ "1 204", "1 ECONNREFUSED", "2 500", "1 ECONNREFUSED" }, outcomes)
	end)

	it("retries a request elsewhere, while its session stays on its clone", function()
		start {}
		local user = proxy:client()
		user:request()
		user:done()
		user:request()
		user:fail(true)
		assert.equal("clone2", user.at)
		assert.same({ 1, 0 }, { clones.ready[1].sessions, clones.ready[2].sessions })
		user:done()
		user:request()
		assert.equal("clone1", user.at)
		user:close()
		user:request()
		assert.equal("clone1", user.at)
		clones:move(clones.ready[1], "dead")
		user:fail(true)
		assert.equal("clone2", user.at)
		user:done()
		user:request()
		assert.equal("clone2", user.at)
		assert.equal(1, clones.ready[1].sessions)
	end)

	it("counts an answer that was cut short as an error of its clone", function()
		start {}
		local user = proxy:client()
		user:request()
		user:done(200, 1, "ECONNRESET")
		user:request()
		user:done(200, 1, "EPROTO", "malformed chunked coding")
		assert.same({ "1 ECONNRESET", "1 malformed chunked coding" }, outcomes)
		assert.same({ "1 malformed chunked coding" }, bad_answers)
		assert.equal(2, all.requests.classes["5xx"])
		assert.equal(0, all.requests.classes["2xx"])
	end)

	it("names what was wrong with an answer", function()
		start {}
		local user = proxy:client()
		user:request()
		user:fail(false, "EPROTO", "several Content-Length fields")
		assert.same({ 502, "malformed answer from the clone: several Content-Length fields" },
			{ user.refused, user.refused_text })
		assert.same({ "1 several Content-Length fields" }, outcomes)
		assert.same({ "1 several Content-Length fields" }, bad_answers)
	end)

	it("tells it of connections in tcp mode, when they are over", function()
		start { mode = "tcp" }
		local user = proxy:client()
		user:connect()
		user:fail(true)
		user:close()
		assert.same({ "1 ECONNREFUSED", "2 over" }, outcomes)
	end)

	describe("when a clone is to end", function()
		-- One whose request is under way on clone 1, and one who waits for nothing there.
		local function two_users()
			local busy, still = proxy:client(), proxy:client()
			busy:request()
			proxy:client():request()
			still:request()
			still:done()
			assert.same({ "clone1", "clone1" }, { busy.at, still.at })
			local clone = clones.ready[1]
			clones:move(clone, "draining")
			all:vacate(clone)
			return busy, still, clone
		end

		it("takes those away who have nothing under way, and others when they have not", function()
			start {}
			local busy, still, clone = two_users()
			assert.equal(1, clone.connections)
			assert.same({ nil, 1 }, { busy.ndetached, still.ndetached })
			assert.same({}, vacant)
			busy:done()
			assert.equal(1, busy.ndetached)
			assert.equal(0, clone.connections)
			assert.same({ 1 }, vacant)
		end)

		it("sends their next requests to others", function()
			start {}
			local busy, still = two_users()
			still:request()
			busy:done()
			busy:request()
			assert.same({ "clone2", "clone2" }, { busy.at, still.at })
		end)

		it("leaves streams alone until they end", function()
			start { mode = "tcp" }
			local user = proxy:client()
			user:connect()
			local clone = clones.ready[1]
			clones:move(clone, "draining")
			all:vacate(clone)
			assert.equal(1, clone.connections)
			user:close()
			assert.same({ 1 }, vacant)
		end)
	end)

	it("refuses as the policy says", function()
		start { held = { max = 0, status = 429, text = "come back later" } }
		for _, clone in ipairs { table.unpack(clones.ready) } do clones:move(clone, "dead") end
		local user = proxy:client()
		user:request()
		assert.same({ 429, "come back later" }, { user.refused, user.refused_text })
	end)

	it("goes by another policy", function()
		start {}
		local user = proxy:client()
		user:request()
		user:close()
		all:use(assert(policy.check {
			app = { script = "server.lua" }, route = "latest", session_timeout = 5,
			cookieless_timeout = 5,
		}))
		assert.equal(5, all.sessions.timeout)
		local others = { proxy:client(), proxy:client() }
		for _, other in ipairs(others) do other:request() end
		assert.same({ "clone2", "clone2" }, { others[1].at, others[2].at })
		user:request()
		assert.equal("clone1", user.at)
	end)
end)
