-- Whole runs of gcscale whose policy is changed or overruled while clients are served.

-- limit: 600 s

local async = require "spec.support.async"
local gcscale = require "spec.support.gcscale"
local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("gcscale", function() pending(puppet.missing) end)
end

local function it_runs(name, body)
	it(name, function() async.run(body) end)
end

-- A policy file with these keys.
local function policy(keys)
	return 'return { app = { script = "program.lua" }, ' .. keys .. " }"
end

describe("gcscale's policy file", function()
	-- Clients that ask all the time, some on connections of their own, some on one that they keep.
	-- Ended, it tells how many answers there were, and which were no 200.
	local function load(t, s)
		local is_over, nanswers, bad = false, 0, {}
		local function note(response, err)
			nanswers = nanswers + 1
			if not response or response.status ~= 200 then
				bad[#bad + 1] = response and response.status or err
			end
		end
		local running = 0
		local function client(body)
			running = running + 1
			t.go(function()
				body()
				running = running - 1
			end)
		end
		for _ = 1, 4 do
			client(function()
				while not is_over do note(s:get("/", { jar = {} })) end
			end)
			client(function()
				local c = t.http_connect { port = s.port }
				while not is_over do note(c:request { path = "/" }) end
				c:close()
			end)
		end
		return function()
			is_over = true
			t.wait_until(function() return running == 0 end, nil, "the clients' end")
			return nanswers, bad
		end
	end

	it_runs("is loaded again, and no connection notices", function(t)
		local s = gcscale.start(t, policy "clones = { min = 1 }, scale = function() return 1 end")
		local finish = load(t, s)
		for n = 2, 5 do
			s:write(policy(("clones = { min = %d }, scale = function() return %d end, "
				.. "route = 'least', limits = { head = %d }"):format(n, n, n * 1000)))
			if n % 2 == 0 then
				local code, said = s:run "reload"
				assert.equal(0, code, said)
				assert.matches("the policy file was loaded again", said)
			else
				s.p:kill "sighup"
			end
			t.wait_until(function() return s:clones() == n end, nil, n .. " clones")
		end
		local nanswers, bad = finish()
		assert.same({}, bad)
		assert.is_true(nanswers > 100)
		s.p:stop()
	end)

	it_runs("is loaded when it is saved, if it says so", function(t)
		local text = policy "watch = true, scale = function() return 1 end"
		local s = gcscale.start(t, text)
		s.p:line("clone 1 ready")
		s:write((text:gsub("return 1", "return 3")))
		s.p:line("clone 3 ready")
		s:write "return {{"
		s.p:line("the policy stays as it is: .*policy.lua:1: ")
		s:write((text:gsub("return 1", "return 4")))
		s.p:line("clone 4 ready")
		s.p:stop()
	end)

	it_runs("stays as it was where anything is wrong with the new one", function(t)
		local s = gcscale.start(t, policy "scale = function() return 1 end")
		for text, expected in pairs {
			[policy "scale = function() return nothing.there end"] = "policy.lua:1: attempt to index",
			[policy "mode = 'tcp'"] = "mode: cannot change while the service runs",
			[policy "clonse = {}"] = 'unknown key "clonse"',
			["return {"] = "policy.lua:1: ",
		} do
			s:write(text)
			local code, said = s:run "reload"
			assert.equal(1, code)
			assert.matches(expected, said)
		end
		assert.equal(1, s:who())
		s.p:stop()
	end)
end)

describe("gcscale", function()
	it_runs("pauses, resumes, and holds a number", function(t)
		local s = gcscale.start(t, policy [[scale = function(_, sample) return sample.sessions end,
			sticky = false]])
		local code, said = s:run("scale", "2")
		assert.equal(0, code, said)
		assert.matches(": held at 2 clones\n$", said)
		t.wait_until(function() return s:clones() == 2 end, nil, "two clones")
		assert.matches("limit: held at 2 by an operator", select(2, s:run "status"))
		assert.equal(0, (s:run "pause"))
		t.wait_until(function() return s:status().report.held_at == "paused" end, nil, "the report")
		assert.equal(2, s:who())
		assert.equal(0, (s:run "resume"))
		t.wait_until(function() return s:clones() == 0 end, nil, "no clones")
		s.p:stop()
	end)

	it_runs("drains a clone: what is under way ends, who comes goes elsewhere", function(t)
		local s = gcscale.start(t, policy "clones = { min = 2 }, route = 'least'")
		t.wait_until(function() return s:clones() == 2 end, nil, "two clones")
		local jar, slow = {}, nil
		local vmid = s:who("/", { jar = jar })
		local address
		for _, clone in ipairs(s:status().report.clones) do
			if clone.vmid == vmid then address = clone.address end
		end
		t.go(function() slow = s:who("/slow", { jar = jar }) end)
		t.wait_until(function() return s:status().report.connections == 1 end, nil, "the request")
		assert.equal(0, (s:run("drain", tostring(vmid))))
		assert.not_equal(vmid, s:who("/", { jar = jar }))
		assert.is_nil(slow)
		local ip, port = address:match "^(.*):(%d+)$"
		t.http { host = ip, port = tonumber(port), path = "/go" }
		t.wait_until(function() return slow end, nil, "the slow answer")
		assert.equal(vmid, slow)
		s.p:line(("clone %d ended"):format(vmid))
		t.wait_until(function() return s:clones() == 2 end, nil, "another clone")
		s.p:stop()
	end)

	it_runs("kills a clone, and says what is wrong with an order", function(t)
		local s = gcscale.start(t, policy "clones = { min = 1 }")
		s.p:line("clone 1 ready")
		assert.equal(0, (s:run("kill", "1")))
		t.wait_until(function() -- in either order
			return s.p.stdout:find "clone 1 ended" and s.p.stdout:find "clone 2 ready"
		end, nil, "another clone in its place")
		for expected, order in pairs {
			["1: .*there is no clone 1\n"] = { "drain", "1" },
			["1: .*clones.max is 16\n"] = { "scale", "17" },
			["2: .*whole number from 0 expected"] = { "scale", "some" },
			["4: .*no service nobody runs"] = { "pause", "--name", "nobody" },
		} do
			local code, said = s:run(table.unpack(order))
			assert.matches("^" .. expected, code .. ": " .. said)
		end
		local other = gcscale.start(t, policy "clones = { min = 1 }")
		local code, said = s:run "pause"
		assert.equal(2, code)
		assert.is_truthy(said:find(s.name .. "-", 1, true) and said:find(other.name .. "-", 1, true))
		assert.equal(0, (s:run("pause", "--name", other.name)))
		local name = ("%s-%d"):format(s.name, s:status().pid)
		assert.equal(0, (s:run("pause", "--name", name)))
		s.p:stop()
		other.p:stop()
	end)

	it_runs("sends who comes to the clone with fewest long connections", function(t)
		local s = gcscale.start(t, policy [[mode = "tcp", clones = { min = 2 }, route = "least",
			scale = function() return 2 end]])
		t.wait_until(function() return s:clones() == 2 end, nil, "two clones")
		local open, at = {}, {}
		local function come()
			local c = t.connect { port = s.port }
			c:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
			open[#open + 1] = c
			at[#at + 1] = tonumber(c:read_until("\r\n\r\n%d+"):match "%d+$")
		end
		for _ = 1, 4 do come() end
		s:run("scale", "3")
		t.wait_until(function() return s:clones() == 3 end, nil, "three clones")
		for _ = 1, 2 do come() end
		assert.same({ 1, 2, 1, 2, 3, 3 }, at)
		for _, c in ipairs(open) do c:close() end
		s.p:stop()
	end)

	it_runs("sends the same header to the same clone", function(t)
		local s = gcscale.start(t, policy [[clones = { min = 4 }, sticky = false,
			route = hash { by = "header:X-Tenant" }]])
		t.wait_until(function() return s:clones() == 4 end, nil, "four clones")
		local c, seen, different = t.http_connect { port = s.port }, {}, {}
		for i = 1, 24 do
			local tenant = "tenant" .. i % 8
			local vmid = c:request({ headers = { ["x-tenant"] = tenant } }).body
			assert.equal(seen[tenant] or vmid, vmid)
			seen[tenant], different[vmid] = vmid, true
		end
		assert.is_truthy(next(different, (next(different))))
		c:close()
		s.p:stop()
	end)

	it_runs("ejects a clone that hangs, and has it replaced", function(t)
		local s = gcscale.start(t, policy [[clones = { min = 2 }, route = "least", sticky = false,
			health = { check = { path = "/", interval = 1, timeout = 0.5, fall = 2 }, replace_after = 1 }]])
		t.wait_until(function() return s:clones() == 2 end, nil, "two clones")
		local c = t.connect { port = s.port }
		c:write "GET /spin HTTP/1.1\r\nHost: x\r\n\r\n"
		s.p:line("clone 1 is ejected: 2 checks in a row failed, the last: no answer")
		for _ = 1, 4 do assert.equal(2, s:who()) end
		s.p:line("clone 1 is killed: 2 checks")
		s.p:line("clone 3 ready")
		c:close()
		s.p:stop()
	end)

	it_runs("refuses those for whom there is no clone as the policy says", function(t)
		local s = gcscale.start(t, policy [[held = { max = 0, status = 429, text = "come back" }]])
		local response = s:get()
		assert.equal(429, response.status)
		assert.matches("come back", response.body)
		s.p:stop()
	end)
end)
