-- The globals of a policy file: Lua's standard library, as copies, and the ready policies.
--
-- What a policy does to its globals it does to its own copies. Missing is what would end or upset
-- gcscale itself: os.exit raises, `debug` has only traceback, there are no finalizers, and no event
-- loop. Modules that a policy requires are run with the same globals, and anew at each reload; of C
-- modules it gets copies.

local sandbox = require "gridcentric.policy.sandbox"
local strings = require "gridcentric.policy.sandbox.strings"
local view = require "gridcentric.policy.sandbox.view"

local environment = {}

local MOST_ITEMS = 1e7 -- that table.move() and its like may touch

local function copy(t)
	local copied = {}
	for key, value in pairs(t) do copied[key] = value end
	return copied
end

-- What is not for policies -----------------------------------------------------------------------

local function refuse(what, why)
	return function() error(("%s: %s"):format(what, why), 2) end
end

local function new_os()
	local os_copy = copy(os)
	os_copy.exit = refuse("os.exit", "a policy cannot end gcscale")
	os_copy.setlocale = refuse("os.setlocale", "the locale belongs to gcscale")
	return os_copy
end

local function new_collectgarbage()
	local allowed = { collect = true, count = true, step = true, isrunning = true }
	return function(option, ...)
		if allowed[option or "collect"] then return collectgarbage(option, ...) end
		error(("collectgarbage: %s is not for policies"):format(tostring(option)), 2)
	end
end

-- Calls no hook can interrupt --------------------------------------------------------------------

local function check_count(n, name)
	if n > MOST_ITEMS then error(("%s: too many items"):format(name), 3) end
end

local function new_table()
	local table_copy = copy(table)
	function table_copy.move(a, first, last, ...)
		check_count((tonumber(last) or 0) - (tonumber(first) or 0), "table.move")
		return table.move(a, first, last, ...)
	end
	function table_copy.concat(list, sep, first, last)
		check_count((tonumber(last) or 0) - (tonumber(first) or 0), "table.concat")
		return table.concat(list, sep, first, last)
	end
	for _, name in ipairs { "insert", "remove" } do
		local fn = table[name]
		table_copy[name] = function(list, ...)
			if type(list) == "table" then check_count(#list, "table." .. name) end
			return fn(list, ...)
		end
	end
	return table_copy
end

local function new_setmetatable()
	return function(t, meta)
		if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
			error("setmetatable: a policy cannot have finalizers (__gc)", 2)
		end
		return setmetatable(t, meta)
	end
end

-- Of tables only: strings, files and our own values share their metatables with us.
local function own_metatable(value)
	return type(value) == "table" and getmetatable(value) or nil
end

-- Raises an interruption again, which the policy has caught.
local function pass_on(ok, err, ...)
	if not ok and sandbox.is_interruption(err) then error(err, 0) end
	return ok, err, ...
end

local function protected_call(fn, ...) return pass_on(pcall(fn, ...)) end

-- The handler is not called for an interruption: no hook could end it.
local function handled_call(fn, handler, ...)
	local function guarded(err)
		if sandbox.is_interruption(err) then return err end
		return handler(err)
	end
	return pass_on(xpcall(fn, guarded, ...))
end

local function new_coroutine()
	local co_copy = copy(coroutine)
	function co_copy.create(fn)
		local co = coroutine.create(fn)
		sandbox.watch(co)
		return co
	end
	local function settle(ok, ...)
		if not ok then error((...), 0) end
		return ...
	end
	function co_copy.wrap(fn)
		local co = co_copy.create(fn)
		return function(...) return settle(coroutine.resume(co, ...)) end
	end
	function co_copy.resume(co, ...) return pass_on(coroutine.resume(co, ...)) end
	return co_copy
end

-- Code that is read ------------------------------------------------------------------------------

local function add_loaders(env)
	function env.load(chunk, name, _, given)
		return load(chunk, name, "t", given == nil and env or given)
	end
	function env.loadfile(path, _, given)
		return loadfile(path, "t", given == nil and env or given)
	end
	function env.dofile(path)
		local chunk, err = loadfile(path, "t", env)
		if not chunk then error(err, 0) end
		return chunk()
	end
end

-- A module in C, which is loaded once for all: given as a copy.
local function borrow(name)
	local module = require(name)
	return type(module) == "table" and copy(module) or module
end

-- Whether a module is for programs: one of ours that is no policy and no route, or the event loop.
local function is_for_programs(name)
	if name == "luv" then return true end
	return name:find "^gridcentric%f[.\0]" and not (name:find "^gridcentric%.policy%.[%l_]+$"
		or name:find "^gridcentric%.route%.[%l_]+$" or name == "gridcentric.policy.rules")
end

-- A module in Lua: run with the policy's globals.
local function run_module(env, name, path)
	local chunk, err = loadfile(path, "t", env)
	if not chunk then error(err, 0) end
	local value = chunk(name, path)
	return value == nil and true or value
end

-- `program` is what to say where the file turns out to be a program.
local function add_require(env, program)
	local loaded = {
		_G = env, string = env.string, table = env.table, math = env.math, os = env.os, io = env.io,
		utf8 = env.utf8, coroutine = env.coroutine, debug = env.debug,
	}
	env.package = {
		path = package.path, cpath = package.cpath, config = package.config, loaded = loaded,
		searchpath = package.searchpath,
	}
	loaded.package = env.package
	function env.require(name)
		if loaded[name] ~= nil then return loaded[name] end
		if is_for_programs(name) then error(program, 0) end
		local path = not name:find "^gridcentric" and package.searchpath(name, env.package.path)
		local module = path and run_module(env, name, path) or borrow(name)
		if loaded[name] == nil then loaded[name] = module end
		return loaded[name], path or nil
	end
end

-- All of it --------------------------------------------------------------------------------------

local AS_THEY_ARE = {
	"assert", "error", "ipairs", "pairs", "print", "rawequal", "rawget", "rawlen", "rawset", "select",
	"tonumber", "tostring", "type", "warn", "_VERSION",
}

---New globals for one policy file.
---@param ready table<string, function> ready policies and routes
---@param program string what to say where the file turns out to be a program
---@return table
function environment.new(ready, program)
	local env = {}
	for _, name in ipairs(AS_THEY_ARE) do env[name] = _G[name] end
	for _, name in ipairs { "math", "io", "utf8" } do env[name] = copy(_G[name]) end
	env._G = env
	env.os, env.table, env.string = new_os(), new_table(), strings.copy()
	env.coroutine, env.debug = new_coroutine(), { traceback = debug.traceback }
	env.collectgarbage, env.setmetatable = new_collectgarbage(), new_setmetatable()
	env.getmetatable, env.next = own_metatable, view.next
	env.pcall, env.xpcall = protected_call, handled_call
	add_loaders(env)
	add_require(env, program)
	for name, make in pairs(ready) do env[name] = make end
	return env
end

return environment
