-- Whose session a request or connection belongs to. A user is recognised by a cookie, by the
-- address, or by the connection itself, as the policy's `sticky` says.
--
-- Where cookies tell users, what a connection carried before says nothing about who asks now: a
-- balancer in front sends the requests of many users over one connection. Each request without a
-- cookie therefore begins a session, and gets a cookie of its own.

local identity = {}

---@class gridcentric.Identity
---@field policy gridcentric.Policy
---@field sessions gridcentric.Sessions
---@field new_key fun(): string makes the key of a session
---@field is_key fun(value: string): boolean whether new_key() has made it
---@field counters table<string, integer> of which it counts sessions, stale_cookies, forged_cookies
local Identity = { __name = "gridcentric.identity" }
Identity.__index = Identity

---@param o gridcentric.Identity its fields
---@return gridcentric.Identity
function identity.new(o)
	return setmetatable({
		policy = o.policy,
		sessions = o.sessions,
		new_key = o.new_key,
		is_key = o.is_key,
		counters = o.counters,
	}, Identity)
end

local function count(self, what)
	self.counters[what] = self.counters[what] + 1
end

local function by_cookie(self, cookie)
	local shown = self.sessions:find(cookie)
	if shown then
		self.sessions:recognise(shown)
		return shown
	end
	if cookie then count(self, self.is_key(cookie) and "stale_cookies" or "forged_cookies") end
end

local function begin(self, ip)
	local sticky, all = self.policy.sticky, self.sessions
	count(self, "sessions")
	if sticky == "source" then return all:begin(ip, true) end
	return all:begin(sticky == "cookie" and self.new_key() or nil, false)
end

---@param own gridcentric.Session? of the connection so far
---@param ip string the client's
---@param cookie string? that the request has brought
---@return gridcentric.Session? # nil where there may be no more of them
---@return boolean? is_new
function Identity:session_of(own, ip, cookie)
	local sticky, all = self.policy.sticky, self.sessions
	if sticky == "source" then own = own or all:find(ip) end
	if sticky == "cookie" then own = by_cookie(self, cookie) end
	if own then return own, false end
	if not all:make_room(self.policy.limits.sessions) then return nil end
	return begin(self, ip), true
end

return identity
