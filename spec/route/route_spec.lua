local random = require "gridcentric.util.random"
local route = require "gridcentric.route"

describe("route", function()
	local function clone(slot, load)
		return { slot = slot, connections = load or 0, sessions = 0 }
	end

	-- Clones with these numbers of connections that serve, and that are coming.
	local function clones_of(ready, coming)
		local found, slot = { ready = {}, coming = {}, version = 1 }, 0
		for name, loads in pairs { ready = ready, coming = coming or {} } do
			for i, load in ipairs(loads) do
				slot = slot + 1
				found[name][i] = clone(slot, load)
			end
		end
		return found
	end

	local function new_state() return { random = random.new(1) } end

	-- Where n requests go in turn, each of which stays.
	local function picks(of, clones, n, request)
		local state, found = new_state(), {}
		for i = 1, n do
			local picked = of.pick(request or { ip = "192.0.2.1" }, clones, state)
			found[i] = picked or "none"
			if picked then picked.connections = picked.connections + 1 end
		end
		return found
	end

	-- The same as places in the list of those that serve: "1 2 1".
	local function places(of, clones, n)
		local place = {}
		for i, one in ipairs(clones.ready) do place[one] = i end
		local found = {}
		for i, picked in ipairs(picks(of, clones, n)) do found[i] = place[picked] end
		return table.concat(found, " ")
	end

	local hash = route.READY.hash
	local weighted = route.READY.weighted
	local all = { hash {}, weighted { weight = function() return 1 end } }
	for _, name in ipairs(route.NAMES) do all[#all + 1] = route.get(name) end

	it("is one of those that are named", function()
		for _, name in ipairs(route.NAMES) do assert.equal(name, route.get(name).name) end
		assert.has_error(function() route.get "gone" end)
	end)

	it("finds none where there is none, and the only one where there is one", function()
		for _, of in ipairs(all) do
			assert.same({ "none" }, picks(of, clones_of {}, 1))
			local one, next_one = clones_of { 5 }, clones_of({}, { 5 })
			assert.equal(one.ready[1], picks(of, one, 1)[1])
			assert.equal(next_one.coming[1], picks(of, next_one, 1)[1])
		end
	end)

	it("says what is wrong with it", function()
		local function err_of(value) return select(2, route.type(value)) end
		assert.equal('"latest", "least", "round_robin", "two_choices", hash { }, weighted { } or a '
			.. 'function expected, got "newest"', err_of "newest")
		assert.matches("or a function expected, got a table", err_of {})
		assert.equal("options are missing: hash { ... }", err_of(hash))
		assert.equal("least", route.type("least").name)
		assert.equal(all[1], route.type(all[1]))
		assert.is_true(route.type(function() end).is_own)
		for given, expected in pairs {
			[{ by = "moon" }] = 'hash: by: "source", "path", "header:NAME" or "cookie:NAME" expected, '
				.. 'got "moon"',
			[{ by = "header:" }] = "expected",
			[{ by = "header:two words" }] = "expected",
			[{ bye = "path" }] = 'unknown key "bye"',
		} do
			local ok, err = pcall(function() return (hash(given)) end)
			assert.is_false(ok)
			assert.is_truthy(err:find(expected, 1, true), err)
		end
	end)

	describe("latest", function()
		it("takes the newest clone, also one that is being made", function()
			local clones = clones_of({ 0, 0 }, { 0, 0 })
			local latest = route.get "latest"
			assert.equal(clones.coming[2], picks(latest, clones, 1)[1])
			assert.equal("2 2", places(latest, clones_of { 0, 0 }, 2))
		end)
	end)

	describe("round_robin", function()
		local round_robin = route.get "round_robin"

		it("takes one ready clone after the other", function()
			assert.equal("1 2 1 2 1", places(round_robin, clones_of({ 0, 0 }, { 0 }), 5))
		end)

		it("takes the first that is being made while none is ready", function()
			local clones = clones_of({}, { 0, 0 })
			assert.same({ clones.coming[1], clones.coming[1] }, picks(round_robin, clones, 2))
		end)

		it("goes on when clones come and go", function()
			local state, clones = new_state(), clones_of { 0, 0, 0 }
			local a, b, c = table.unpack(clones.ready)
			local function pick() return round_robin.pick({}, clones, state) end
			assert.same({ a, b, c }, { pick(), pick(), pick() })
			clones.ready = { a }
			assert.same({ a, a }, { pick(), pick() })
		end)
	end)

	describe("least", function()
		local least = route.get "least"

		it("takes the clone with the fewest connections, of equals the oldest", function()
			assert.equal("2 2 1 2 1 2", places(least, clones_of { 2, 0, 3 }, 6))
		end)

		it("counts sessions that have no connection at the moment", function()
			local clones = clones_of { 0, 0, 0 }
			clones.ready[1].sessions, clones.ready[2].sessions = 2, 2
			assert.equal("3 3", places(least, clones, 2))
		end)

		it("spreads who comes before any is ready", function()
			local clones = clones_of({}, { 0, 0 })
			local a, b = table.unpack(clones.coming)
			assert.same({ a, b, a }, picks(least, clones, 3))
		end)
	end)

	describe("two_choices", function()
		local two_choices = route.get "two_choices"

		it("takes the less loaded of two, always", function()
			local clones = clones_of { 1000, 0 }
			assert.equal("2 2 2 2", places(two_choices, clones, 4))
		end)

		it("loads clones nearly evenly", function()
			local loads = {}
			for i = 1, 100 do loads[i] = 0 end
			local clones = clones_of(loads)
			picks(two_choices, clones, 10000)
			for _, one in ipairs(clones.ready) do
				assert.is_true(one.connections >= 95 and one.connections <= 105)
			end
		end)

		it("goes the same ways for the same seed", function()
			local clones, again = clones_of { 0, 0, 0, 0 }, clones_of { 0, 0, 0, 0 }
			assert.equal(places(two_choices, clones, 50), places(two_choices, again, 50))
		end)
	end)

	describe("hash", function()
		local function new_clones(n)
			local clones = { ready = {}, coming = {}, version = 1 }
			for slot = 1, n do clones.ready[slot] = clone(slot) end
			return clones
		end

		-- Which clone each of the keys goes to.
		local function spread(clones, nkeys)
			local pick, state, found = hash({}).pick, new_state(), {}
			for i = 1, nkeys do found[i] = pick({ ip = "key" .. i }, clones, state) end
			return found
		end

		it("sends the same source to the same clone", function()
			local pick, state, clones = hash({ by = "source" }).pick, new_state(), new_clones(50)
			local first = pick({ ip = "192.0.2.7" }, clones, state)
			for _ = 1, 5 do assert.equal(first, pick({ ip = "192.0.2.7" }, clones, state)) end
		end)

		it("goes by path, header or cookie", function()
			local function key_of(by, request)
				request.ip = "192.0.2.1"
				local clones, found = new_clones(1000), {}
				found[1] = hash({ by = by }).pick(request, clones, new_state())
				return found[1].slot
			end
			assert.equal(key_of("path", { target = "/a?x=1" }), key_of("path", { target = "/a?y=2" }))
			assert.not_equal(key_of("path", { target = "/a" }), key_of("path", { target = "/b" }))
			assert.equal(key_of("header:X-Tenant", { header = "blue" }),
				key_of("path", { target = "blue" }))
			local by = "cookie:id"
			assert.equal(key_of(by, { header = "idx=1; id=7; other=2" }), key_of(by, { header = "id=7" }))
			assert.not_equal(key_of(by, { header = "id=7" }), key_of(by, { header = "id=8" }))
			assert.equal(key_of("source", {}), key_of(by, { header = "other=2" })) -- it has none
		end)

		it("says which field it needs, and whether each request counts", function()
			local function needs(by)
				local of = hash { by = by }
				return { of.header or "none", of.per_request }
			end
			assert.same({ "none", false }, needs "source")
			assert.same({ "none", true }, needs "path")
			assert.same({ "X-Tenant", true }, needs "header:X-Tenant")
			assert.same({ "Cookie", true }, needs "cookie:id")
		end)

		it("spreads keys evenly", function()
			local counts, n = {}, 20
			for _, one in ipairs(spread(new_clones(n), 10000)) do
				counts[one] = (counts[one] or 0) + 1
			end
			for _, count in pairs(counts) do
				assert.is_true(count > 0.6 * 10000 / n and count < 1.4 * 10000 / n, tostring(count))
			end
		end)

		it("moves only the keys of a clone that goes, or comes", function()
			local clones = new_clones(20)
			local before = spread(clones, 5000)
			local gone = table.remove(clones.ready, 7)
			clones.version = 2
			local moved = 0
			for i, one in ipairs(spread(clones, 5000)) do
				if one ~= before[i] then
					assert.equal(gone, before[i])
					moved = moved + 1
				end
			end
			assert.is_true(moved > 100 and moved < 500)
			clones.ready[20] = gone
			clones.version = 3
			assert.same(before, spread(clones, 5000))
		end)

		it("sees when clones come and go", function()
			local pick, state, clones = hash({}).pick, new_state(), new_clones(2)
			local first = pick({ ip = "x" }, clones, state)
			for i, one in ipairs(clones.ready) do
				if one == first then table.remove(clones.ready, i) end
			end
			clones.ready[2] = clone(3)
			clones.version = 2
			assert.not_equal(first, pick({ ip = "x" }, clones, state))
		end)
	end)

	describe("weighted", function()
		it("gives each its share, without bursts", function()
			local weights = { 2, 1, 1 }
			local of = weighted { weight = function(one) return weights[one.slot] end }
			local clones = { ready = { clone(1), clone(2), clone(3) }, coming = {} }
			assert.equal("1 2 3 1 1 2 3 1", places(of, clones, 8))
		end)

		it("gives a new one no more than its share", function()
			local of = weighted { weight = function() return 1 end }
			local clones, state = clones_of { 0, 0 }, new_state()
			for _ = 1, 100 do of.pick({}, clones, state) end
			clones.ready[3] = clone(9)
			local n = 0
			for _ = 1, 30 do
				if of.pick({}, clones, state) == clones.ready[3] then n = n + 1 end
			end
			assert.is_true(n >= 10 and n <= 11)
		end)

		it("leaves out those of weight 0, unless all are", function()
			local weight = { 0, 1 }
			local of = weighted { weight = function(one) return weight[one.slot] end }
			local clones = { ready = { clone(1), clone(2) }, coming = {} }
			assert.equal("2 2 2", places(of, clones, 3))
			weight[2] = 0
			assert.equal("1 1", places(of, clones, 2))
		end)

		it("fails with the place of a weight that is none", function()
			local of = weighted { weight = function() return "much" end }
			local ok, err = pcall(of.pick, {}, clones_of { 0, 0 }, new_state())
			assert.is_false(ok)
			assert.matches("route_spec.lua:%d+: weight returned much, not a number from 0$", err)
		end)
	end)
end)

describe("random", function()
	it("is the same for the same seed", function()
		local a, b, c = random.new(5), random.new(5), random.new(6)
		for _ = 1, 10 do assert.equal(a(), b()) end
		assert.not_equal(a(), c())
	end)

	it("uses all bits", function()
		local next_bits, ones = random.new(0), {}
		for _ = 1, 4000 do
			local bits = next_bits()
			for bit = 0, 63 do ones[bit] = (ones[bit] or 0) + (bits >> bit & 1) end
		end
		for bit = 0, 63 do assert.is_true(math.abs(ones[bit] - 2000) < 200) end
	end)

	it("hashes texts", function()
		assert.equal(random.hash "abc", random.hash "abc")
		local seen = {}
		for i = 1, 10000 do
			local h = random.hash("k" .. i)
			assert.is_nil(seen[h])
			seen[h] = true
		end
	end)
end)
