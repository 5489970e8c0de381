-- Where in a policy file a ready policy was made, and whether code of the file runs in it.
--
--	return origin.note(function(now, sample, state) ... end, parts)
--
-- at the end of target(), max_of() and so on notes the line of the file that called it. An error in
-- what the policy returns is then blamed on that line, not on ours. A policy without code of the
-- file needs no limit on the time it takes (see config/sandbox).

local guard = require "gridcentric.util.guard"

local origin = {}

-- Weak: a policy is forgotten with its file.
local SITES = setmetatable({}, { __mode = "k" })

---Notes a ready policy. To be called as `return origin.note(...)`: a tail call leaves no frame
---between this one and the policy file's.
---@param fn gridcentric.Scale
---@param parts? gridcentric.Scale[] policies that it asks
---@return gridcentric.Scale fn
function origin.note(fn, parts)
	local info = debug.getinfo(2, "Sl")
	local is_ready = true
	for _, part in ipairs(parts or {}) do is_ready = is_ready and origin.is_ready(part) end
	SITES[fn] = {
		place = info and info.currentline > 0 and ("%s:%d"):format(
			info.short_src, info.currentline),
		is_ready = is_ready,
	}
	return fn
end

---Whether it is a ready policy, or the pick of a ready route.
---@param fn any
---@return boolean
function origin.is_noted(fn)
	return SITES[fn] ~= nil
end

---Whether it is a ready policy all of whose parts are ready policies.
---@param fn any
---@return boolean
function origin.is_ready(fn)
	local site = SITES[fn]
	return site ~= nil and site.is_ready
end

---Where a policy stands in its file, as errors name places: "policy.lua:12".
---@param fn function
---@return string
function origin.place(fn)
	local site = SITES[fn]
	return site and site.place or guard.place(fn)
end

-- Whether a file is ours, as errors name it: Lua cuts the front of a long name.
local OURS = debug.getinfo(1, "S").source:match "^@(.*/)policy/origin%.lua$"
local function is_our_file(file)
	if not OURS then return false end
	return file:sub(1, #OURS) == OURS or file:find "^%.%.%..*/gridcentric/policy/[%w_/]+%.lua$" ~= nil
end

---The name of a function that makes policies or routes, such as target, where one of those that it
---makes belongs: somebody wrote `target` without options.
---@param fn any
---@return string? name nil for any other function
function origin.maker(fn)
	if type(fn) ~= "function" or SITES[fn] or not OURS then return nil end
	local source = debug.getinfo(fn, "S").source
	if source:sub(2, #OURS + 1) ~= OURS then return nil end
	local folder, name = source:match("^(%a+)/([%w_]+)", #OURS + 2)
	return (folder == "policy" or folder == "route") and name or nil
end

---An error of a policy, blamed on its file: one of our own code names the line that called it.
---@param fn function the policy
---@param err string
---@return string
function origin.blame(fn, err)
	if not SITES[fn] then return err end
	local file, text = err:match "^([^:\n]+):%d+: (.*)$"
	if file and not is_our_file(file) then return err end
	return ("%s: %s"):format(origin.place(fn), text or err)
end

return origin
