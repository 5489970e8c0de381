-- Which requests are no user's: the health checks of a balancer in front, and the like. The key
-- `ignore` of a policy names them by path or User-Agent. They begin no session, get no cookie,
-- count nowhere, and are answered by any clone.

local ignore = {}

-- The path of a request's target, without query and, in the absolute form, without authority.
local function path_of(target)
	local path = target:gsub("^%a[%w+.-]*://[^/?]*", ""):match "^[^?]*"
	return path ~= "" and path or "/"
end

local function is_ignored(o, request)
	if o.path and request.target and path_of(request.target) == o.path then return true end
	return o.agent ~= nil and request.agent ~= nil
		and request.agent:find(o.agent, 1, true) ~= nil
end

---@param o gridcentric.IgnoreKeys? the policy's
---@return fun(request: gridcentric.RouteRequest): boolean
function ignore.matcher(o)
	return function(request) return o ~= nil and is_ignored(o, request) end
end

return ignore
