local schema = require "gridcentric.config.schema_metrics"

describe("the policy key metrics", function()
	local function refused(expected, given)
		local entries, err = schema.metrics(given)
		assert.is_nil(entries)
		assert.equal(expected, err)
	end

	it("takes places, clones, and what domains tell", function()
		local entries = assert(schema.metrics {
			load = { url = "http://127.0.0.1:9100/metrics", metric = "node_load1" },
			jobs = { clones = "/metrics", metric = "jobs", match = { state = "waiting" }, every = 10 },
			busy = { aggregate = "avg" },
		})
		assert.same({ host = "127.0.0.1", port = 9100, path = "/metrics" }, entries.load.url)
		assert.equal(5, entries.load.every)
		assert.equal("sum", entries.jobs.aggregate)
		assert.equal("avg", entries.busy.aggregate)
	end)

	it("says what is wrong with one", function()
		refused("a table expected, got 5", 5)
		refused("a-b: a name of letters, digits and _ expected", { ["a-b"] = {} })
		refused("a: metric: missing", { a = { url = "http://127.0.0.1/" } })
		refused("a: metric: only with url or clones", { a = { metric = "b" } })
		refused("a: either url or clones, not both",
			{ a = { url = "http://127.0.0.1/", clones = "/", metric = "b" } })
		refused('a: unknown key "evry" (did you mean "every"?)', { a = { evry = 1 } })
		refused('a: match: labels such as { mode = "idle" } expected', { a = { match = { mode = 1 } } })
	end)

	it("takes URLs with numeric hosts", function()
		assert.same({ host = "127.0.0.1", port = 80, path = "/" }, schema.url "http://localhost")
		assert.same({ host = "::1", port = 9, path = "/a?b=c" }, schema.url "http://[::1]:9/a?b=c")
		for _, wrong in ipairs { "https://127.0.0.1/", "http://example.org/", "127.0.0.1:9100", "http://",
			"http://127.0.0.1:99999/", "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y" } do
			local url, err = schema.url(wrong)
			assert.is_nil(url)
			assert.matches("numeric host", err)
		end
	end)
end)

describe("the policy key admin", function()
	it("is an address or a unix socket", function()
		assert.same({ host = "127.0.0.1", port = 9400 }, schema.admin "127.0.0.1:9400")
		assert.same({ host = "127.0.0.1", port = 9400 }, schema.admin(9400))
		assert.same({ path = "/run/x.sock" }, schema.admin "unix:/run/x.sock")
		for _, wrong in ipairs { "unix:relative", "nowhere", 1e9 } do
			assert.is_nil(schema.admin(wrong))
		end
	end)
end)
