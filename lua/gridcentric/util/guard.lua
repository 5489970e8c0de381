-- Keeps errors where they arise: an error in a luv callback would end the process.

local guard = {}

---The text of anything that was raised, as lua would print it. Never raises itself.
---@param err any
---@return string
function guard.text(err)
	if type(err) == "string" or type(err) == "number" then return tostring(err) end
	local meta = getmetatable(err)
	if type(meta) == "table" and rawget(meta, "__tostring") then
		local ok, text = pcall(tostring, err)
		if ok then return text end
	end
	return ("(error object is a %s value)"):format(type(err))
end

---A handler for xpcall.
---@param err any
---@return string # its text, and the traceback
function guard.traceback(err)
	return debug.traceback(guard.text(err), 2)
end

---Where a function begins, as errors name places: "policy.lua:12".
---@param fn function
---@return string
function guard.place(fn)
	local info = debug.getinfo(fn, "S")
	return ("%s:%d"):format(info.source:sub(2), info.linedefined)
end

---Calls fn.
---@param fn function
---@return boolean ok
---@return any # what fn returned first, or the text of the error with its traceback
function guard.call(fn, ...)
	return xpcall(fn, guard.traceback, ...)
end

---Wraps fn in a function that never raises.
---@param fn function
---@param on_error fun(text: string) gets the error with its traceback
---@return function # returns nothing
function guard.protect(fn, on_error)
	return function(...)
		local ok, err = guard.call(fn, ...)
		if not ok then on_error(err) end
	end
end

return guard
