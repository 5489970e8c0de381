-- Makes errors in luv callbacks visible to a spec: luv itself prints them and
-- calls exit(), which would end busted without a report.

local guard = {
	---@type fun(err: any, trace: string)? who is told; async.run sets it
	handler = nil,
}

-- These run their function in another Lua state, so it must stay as it is.
local other_state = { new_thread = true, new_work = true }

local function report(err)
	local trace = debug.traceback("", 2)
	if guard.handler then
		guard.handler(err, trace)
	else -- as luv does
		io.stderr:write("Uncaught error in a luv callback: ", tostring(err), trace, "\n")
		os.exit(255)
	end
end

---A function that does as `fn` but never raises.
---@param fn function
---@return function
function guard.protect(fn)
	return function(...)
		local ok, value = xpcall(fn, report, ...)
		return ok and value or nil
	end
end

local function guarded(fn)
	return function(...)
		local args = table.pack(...)
		for i = 1, args.n do
			if type(args[i]) == "function" then args[i] = guard.protect(args[i]) end
		end
		return fn(table.unpack(args, 1, args.n))
	end
end

local function patch(functions)
	for name, fn in pairs(functions) do
		if type(fn) == "function" and not other_state[name] then functions[name] = guarded(fn) end
	end
end

---From here on each callback given to luv, by anyone in this process, is guarded.
---@param uv table the luv module
function guard.install(uv)
	if guard.installed then return end
	guard.installed = true
	patch(uv)
	for name, metatable in pairs(debug.getregistry()) do
		local is_luv = type(name) == "string" and name:match("^uv_") and type(metatable) == "table"
		if is_luv and type(metatable.__index) == "table" then patch(metatable.__index) end
	end
end

return guard
