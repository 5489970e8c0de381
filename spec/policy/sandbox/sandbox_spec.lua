local policy = require "gridcentric.config.load"
local sandbox = require "gridcentric.policy.sandbox"
local tmp = require "spec.support.tmp"

describe("the sandbox of policies", function()
	local dir

	before_each(function() dir = tmp.new() end)
	after_each(function() tmp.remove(dir) end)

	local function write(name, text)
		local file = assert(io.open(dir .. "/" .. name, "w"))
		file:write(text)
		file:close()
	end

	local function load(text)
		write("server.lua", "")
		write("shop.lua", text)
		return policy.load(dir .. "/shop.lua")
	end

	-- What comes of asking a scale with this body once.
	local function ask(body)
		local p = assert(load(
			"return { app = { script = 'server.lua' }, scale = function(now, sample, state)\n"
			.. body .. "\nend }"))
		local sample = { sessions = 1, connections = 1, clones = 0, coming = 0, my = { load = 1 } }
		local desired, err, _, _, code = policy.decide(p, 0, sample, {}, 0)
		assert.equal(1, sample.my.load)
		return desired, err, code
	end

	-- What is wrong, without the folder.
	local function wrong(text, fn)
		local desired, err = (fn or ask)(text)
		assert.is_nil(desired)
		return (err:gsub("^.*/shop.lua:", "shop.lua:"))
	end

	it("lets nobody end gcscale", function()
		local expected = "shop.lua:%d: os.exit: a policy cannot end gcscale"
		assert.equal(expected:format(2), wrong "os.exit(0)")
		assert.equal(expected:format(2), wrong "require('os').exit(0)")
		assert.equal(expected:format(2), wrong "coroutine.wrap(function() os.exit() end)()")
		assert.equal(expected:format(1), wrong("os.exit(0)", load))
		assert.equal(1, (ask "pcall(os.exit) return 1"))
	end)

	local LOOP = "function() while true do end end"
	for name, body in pairs {
		["a loop"] = "while true do end",
		["one that catches errors"] = "while true do pcall(" .. LOOP .. ") end",
		["one in a coroutine"] = "coroutine.wrap(" .. LOOP .. ")()",
		["one in ever new coroutines"] = "while true do coroutine.resume(coroutine.create("
			.. LOOP .. ")) end",
		["one in a message handler"] = "xpcall(" .. LOOP .. ", " .. LOOP .. ")",
		["one in the handler of an error"] = "xpcall(error, " .. LOOP .. ")",
		["one in the text of an error"] = "error(setmetatable({}, { __tostring = " .. LOOP .. " }))",
		["one in a reason"] = "return 1, setmetatable({}, { __tostring = " .. LOOP .. " })",
		["one in a variable that is closed"] = "local x <close> = setmetatable({}, { __close = "
			.. LOOP .. " })",
		["one in a metamethod"] = "return setmetatable({}, { __index = " .. LOOP .. " }).x",
		["one in code that is loaded"] = "load('while true do end')()",
		["a pattern that never ends"] = "return #(('a'):rep(30)):match(('a*'):rep(30) .. 'b')",
		["one that is not a method"] = "local s = string.gsub(('a'):rep(40), ('a-'):rep(40) .. 'b', '')",
		["memory without end"] = "local t = {} while true do t[#t + 1] = {} end",
	} do
		it("interrupts " .. name, function()
			local p = assert(load(("return { app = { script = 'server.lua' }, scale = function()\n"
				.. "%s\nend }"):format(body)))
			local ok, err, code = sandbox.call_within(0.02, function()
				return tostring(select(2, p.scale()))
			end)
			assert.is_false(ok)
			assert.matches(": interrupted: it ran for more than 0.02 s$", err)
			assert.equal("INTERRUPTED", code)
			if not body:find "load%(" then assert.matches("/shop.lua:2: ", err) end
			assert.is_nil((debug.gethook()))
			assert.equal(string, getmetatable("").__index)
		end)
	end

	it("interrupts a scale after a second, so that the number stays", function()
		local desired, err, code = ask "while true do end"
		assert.is_nil(desired)
		assert.matches("/shop.lua:2: interrupted: it ran for more than 1 s$", err)
		assert.equal("INTERRUPTED", code)
	end)

	it("interrupts a file that does not end, with the place", function()
		assert.equal("shop.lua:2: interrupted: it ran for more than 2 s",
			wrong("\nwhile true do end", load))
	end)

	it("refuses what could not be interrupted", function()
		for body, expected in pairs {
			["setmetatable({}, { __gc = function() end })"] = "a policy cannot have finalizers (__gc)",
			["return #string.rep('x', 1e10)"] = "resulting string too large",
			["return #('x'):rep(1 << 40)"] = "resulting string too large",
			["table.move({}, 1, 1e15, 2)"] = "table.move: too many items",
			["table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, 1)"] =
				"table.insert: too many items",
			["collectgarbage 'stop'"] = "collectgarbage: stop is not for policies",
			["os.setlocale 'C'"] = "os.setlocale: the locale belongs to gcscale",
		} do
			local err = wrong(body)
			assert.equal(expected, err:sub(-#expected))
		end
		assert.equal(0, (ask "return #(''):rep(1e18)"))
	end)

	it("gives a policy globals of its own", function()
		assert.equal(2, (ask [[
			string.format, string.rep, table.concat, math.ceil, pcall = nil
			_G.tostring, package.loaded.os, require "string".sub = nil
			assert(getmetatable("") == nil and getmetatable(io.stdout) == nil)
			return 2]]))
		assert.equal("x", ("%s"):format "x")
		assert.equal(1, math.ceil(0.5))
		assert.is_function(package.loaded.os.exit)
	end)

	it("runs modules with the policy's globals, anew for each file", function()
		write("tenants.lua", "n = (n or 0) + 1 string.format = nil return { n = n, exit = os.exit }")
		local head = ("package.path = %q local t = require 'tenants' "):format(dir .. "/?.lua")
		for _ = 1, 2 do
			assert.equal(1, (ask(head .. "assert(t == require 'tenants') return t.n")))
		end
		assert.matches("a policy cannot end gcscale", wrong(head .. "t.exit()"))
		assert.equal(3, (ask "require 'lpeg'.match = nil return 3"))
		assert.is_function(require "lpeg".match)
		assert.equal(1, (ask
			"return require 'gridcentric.policy.ratio' { per_clone = 1 } (now, sample, state)"))
	end)

	it("says that a program is no policy", function()
		for _, name in ipairs { "luv", "gridcentric", "gridcentric.autoscale", "gridcentric.core" } do
			local _, err = load(("require %q"):format(name))
			assert.matches("this is a program, not a policy file", err)
		end
	end)

	it("survives a table that cannot be read", function()
		local _, err = load "return setmetatable({}, { __pairs = function() error 'no' end })"
		assert.matches("shop.lua: the table cannot be read: .*no$", err)
	end)

	it("gives results and errors as they are, and leaves a hook that was set", function()
		local function hook() end
		debug.sethook(hook, "", 1000000)
		assert.same({ true, 1, nil, 3 }, { sandbox.call(function(...) return ... end, 1, nil, 3) })
		assert.equal(hook, (debug.gethook()))
		debug.sethook()
		assert.same({ false, "oops" }, { sandbox.call(error, "oops", 0) })
		local ok, err = sandbox.call(error, ("x"):rep(3e6) .. "\255")
		assert.is_false(ok)
		assert.equal(500, #err)
	end)
end)
