-- gc.before_clone: a program does not agree to be cloned.

local puppet = require "spec.support.puppet"

if puppet.missing then
	return it("vetoes", function() pending(puppet.missing) end)
end

local function run(body) puppet.run(body) end

-- Asks for n clones; gives what the clone callback got.
local function clone(master, n)
	local ticket = assert(master:call("request_ticket", n, n, 1, 5000))
	return master:call("clone", ticket)
end

describe("before_clone", function()
	it("runs right before a clone is made, in the master alone", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval "kept.n = 0 gc.before_clone(function() kept.n = kept.n + 1 end)"
			local one = master:clone()
			assert.equal(1, master:eval "return kept.n")
			assert.equal(1, one:eval "return kept.n")
			local two = one:clone()
			assert.equal(2, two:eval "return kept.n")
			assert.equal(1, master:eval "return kept.n")
		end)
	end)

	for how, code in pairs {
		["returning false and a reason"] = "return false, 'a transaction is open'",
		["returning nil and a reason"] = "return nil, 'a transaction is open'",
		["raising an error"] = "error('a transaction is open', 0)",
	} do
		it("vetoes by " .. how .. ", which the clone callback gets", function()
			run(function(t)
				local master = puppet.start(t)
				master:eval(("gc.before_clone(function() if kept.busy then %s end end)"):format(code))
				master:eval "kept.busy = true"
				local vmid, err, name, vmids = clone(master, 3)
				assert.equal(-1, vmid)
				assert.matches("^GC_EVETO: .*before_clone: a transaction is open$", err)
				assert.equal("GC_EVETO", name)
				assert.same({}, vmids)
				master:eval "kept.busy = false"
				assert.equal(master:clone():eval "return gc.vmid()", 4)
			end)
		end)
	end

	it("agrees by returning nothing, nil or true; the first veto of several counts", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval [[
				gc.before_clone(function() end)
				gc.before_clone(function() return nil end)
				gc.before_clone(function() return true, "a word" end)
				gc.before_clone(function() if kept.busy then return false end end)
				gc.before_clone(function() error "never seen" end)
			]]
			master:eval "kept.busy = true"
			assert.matches("before_clone: no reason given", (select(2, clone(master, 1))))
		end)
	end)

	it("may not wait", function()
		run(function(t)
			local master = puppet.start(t)
			master:eval "gc.before_clone(function() coroutine.yield() end)"
			assert.matches("^GC_EVETO: .*yield", (select(2, clone(master, 1))))
		end)
	end)

	it("holds for a program that gcscale has cloned, too", function()
		run(function(t)
			local p = t.spawn { "lua5.4", "-e", [[
				local async, gc = require "gridcentric.platform.async", require "gridcentric"
				local core = assert(async.open { role = "outside", name = "starter" })
				async.on("domain", function(_, vmid, state)
					if vmid ~= 0 or state ~= "ready" then return end
					gc.request_ticket(1, 1, 1, 0, function(ticket)
						gc.clone(ticket, function(_, err)
							print(err)
							os.exit(0)
						end)
					end)
				end)
				local service = package.searchpath("gridcentric.service", package.path)
				local program = os.tmpname()
				io.open(program, "w"):write([=[
					os.remove(arg[0])
					require "gridcentric".before_clone(function() return false, "not now" end)
					require "luv".new_timer():start(1e6, 0, function() end)
					require "luv".run()
				]=]):close()
				core:start(0, "/", { "lua5.4", service, program })
				async.hold()
				require("luv").run()
			]] }
			assert.equal(0, (p:wait()), p:describe())
			assert.matches("^GC_EVETO: .*before_clone: not now\n$", p.stdout)
		end)
	end)

	it("throws for what is no function", function()
		assert.has_error(function() require("gridcentric").before_clone(1) end,
			"bad argument #1 to 'before_clone' (function expected, got number)")
	end)
end)
