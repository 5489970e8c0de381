-- Connections: which clone serves them, and which have to wait. Whose they are: identity.lua.
--
-- Theory of operation. Each request (http) or connection (tcp) belongs to a session, each session
-- to one clone for as long as that lives. Who comes new is counted first, then the policy is
-- asked, which may make the plan grow, and only then the route picks a clone: so arrivals are
-- taken one after another, and five at the same instant go the same ways as five in five minutes.
-- A clone that is not ready yet is as good a place: its connections are held until it is.
--
-- Nothing follows the death of a clone through its sessions: whoever finds a session on a clone
-- that is not usable places it anew. A clone that is to end loses its connections in the same way,
-- each when what is under way on it is over; one that carries a stream of bytes, at its end.

local identity = require "gridcentric.controller.identity"
local ignore = require "gridcentric.controller.ignore"
local pool = require "gridcentric.controller.pool"
local queue = require "gridcentric.util.queue"
local sessions = require "gridcentric.controller.sessions"

local traffic = {}

local MAX_TRIES = 3 -- of one request, on different clones

---@class gridcentric.Connection
---@field conn integer the proxy's number for it
---@field ip string of the client
---@field request gridcentric.RouteRequest the one under way, or the last
---@field session gridcentric.Session? from its first request on, unless that is ignored
---@field is_ignored boolean? whether the request under way is no user's
---@field clone gridcentric.Clone? that serves it or is to
---@field elsewhere gridcentric.Clone? where this request alone goes, as it failed on another
---@field asked gridcentric.Clone? where the request under way was sent; nil when it was answered
---@field held_since number? while it waits for a clone; seconds
---@field tries integer failed ones, of the request under way

---@class gridcentric.Traffic
---@field connections integer open ones that belong to a session
---@field sessions gridcentric.Sessions
---@field held gridcentric.Queue of connections that wait, in order of arrival
---@field counters table<string, integer>
---@field refusals table<string, integer> how many were refused, by reason
local Traffic = { __name = "gridcentric.traffic" }
Traffic.__index = Traffic

---@class gridcentric.TrafficOptions
---@field policy gridcentric.Policy
---@field proxy gridcentric.Proxy
---@field router gridcentric.Router
---@field clock gridcentric.Clock
---@field requests gridcentric.Requests told of each request and answer
---@field new_key fun(): string makes the key of a session
---@field is_key fun(value: string): boolean whether new_key() has made it
---@field on_arrival fun() told of each new session and connection, before it is routed
---@field on_bad_answer fun(clone: gridcentric.Clone, detail: string) called with what was wrong
--- with an answer
---@field on_outcome fun(clone: gridcentric.Clone, failure: string?, status: integer?) told what
--- became of each request (http) or connection (tcp) that was sent to a clone
---@field on_vacant fun(clone: gridcentric.Clone) told when one that drains has no connection more
---@field on_empty fun() told when the last connection has closed

---@param o gridcentric.TrafficOptions
---@return gridcentric.Traffic
function traffic.new(o)
	local function count_at_clone(session, n)
		if session.clone then session.clone.sessions = session.clone.sessions + n end
	end
	local counters = {
		connections = 0, requests = 0, sessions = 0, held = 0, retried = 0, refused = 0,
		stale_cookies = 0, forged_cookies = 0,
	}
	local users = sessions.new {
		timeout = o.policy.session_timeout,
		cookieless_timeout = o.policy.cookieless_timeout,
		confirm = o.policy.count == "confirmed",
		on_count = count_at_clone,
	}
	return setmetatable({
		policy = o.policy,
		proxy = o.proxy,
		router = o.router,
		clock = o.clock,
		requests = o.requests,
		on_arrival = o.on_arrival,
		on_outcome = o.on_outcome,
		on_bad_answer = o.on_bad_answer,
		on_vacant = o.on_vacant,
		on_empty = o.on_empty,
		open = {}, -- the proxy's number -> gridcentric.Connection
		connections = 0,
		held = queue.new(),
		sessions = users,
		identity = identity.new {
			policy = o.policy, sessions = users, counters = counters,
			new_key = o.new_key, is_key = o.is_key,
		},
		is_ignored = ignore.matcher(o.policy.ignore),
		counters = counters,
		refusals = { full = 0, late = 0, sessions = 0, failed = 0, ending = 0 },
		draining = false,
	}, Traffic)
end

local function count(self, what)
	self.counters[what] = self.counters[what] + 1
end

-- Puts the connection under the session that it belongs to now.
local function enlist(self, c, session, is_new)
	if c.session == session then return end
	if c.session then
		self.sessions:leave(c.session, self.clock.now())
		if is_new then self.sessions:give_up(c.session) end
	else
		self.connections = self.connections + 1
		count(self, "connections")
	end
	c.session = session
	if not is_new then self.sessions:join(session) end
end

-- Where it goes ----------------------------------------------------------------------------------

local function place_session(session, clone)
	local old = session.clone
	if old and session.counts then old.sessions = old.sessions - 1 end
	if clone and session.counts then clone.sessions = clone.sessions + 1 end
	session.clone = clone
end

local function place_connection(self, c, clone)
	local old = c.clone
	if old then old.connections = old.connections - 1 end
	if clone then clone.connections = clone.connections + 1 end
	c.clone = clone
	if old and old.connections == 0 and old.state == "draining" then self.on_vacant(old) end
end

local function release(self, c)
	self.held:remove(c)
	c.held_since = nil
end

local function refuse(self, c, reason, status, text)
	release(self, c)
	count(self, "refused")
	self.refusals[reason] = self.refusals[reason] + 1
	c.asked = nil
	self.proxy:refuse(c.conn, status, text)
end

-- Refuses one for whom there is no clone.
local function turn_away(self, c, reason, why)
	local held = self.policy.held
	refuse(self, c, reason, held.status, held.text or why)
end

-- Whether no clone will ever be ready for it: when the service ends, none is begun any more.
local function is_hopeless(self, c)
	if not self.draining then return false end
	local clone = c.is_ignored and c.clone or c.session and c.session.clone
	return not clone or clone.state ~= "starting" and clone.state ~= "ready"
end

local function hold(self, c)
	if is_hopeless(self, c) then return refuse(self, c, "ending", 503, "the service is ending") end
	if c.held_since then return end
	if self.held.length >= self.policy.held.max then
		return turn_away(self, c, "full", "too many wait for a clone")
	end
	c.held_since = self.clock.now()
	self.held:push(c)
	count(self, "held")
end

-- The clone for a request that is no user's: one that serves, if there is any.
local function any_clone(self, c)
	local clone = c.clone
	if clone and clone.state == "ready" then return clone end
	return self.router.pool.ready[1] or self.router:pick(c.request)
end

-- The clone for a request of the session.
local function own_clone(self, c)
	local session = c.session
	if not pool.is_usable(session.clone) then place_session(session, self.router:pick(c.request)) end
	return session.clone
end

-- The key that the response is to give to the client, if any.
local function cookie_for(self, c)
	if c.is_ignored or self.policy.sticky ~= "cookie" or c.session.known then return nil end
	return c.session.key
end

-- Sends the connection to its clone, or has it wait for one. A request that failed there goes to
-- another clone, alone: the session stays while its clone lives.
local function direct(self, c)
	local clone
	if c.is_ignored then clone = any_clone(self, c) else clone = own_clone(self, c) end
	if not pool.is_usable(c.elsewhere) then c.elsewhere = nil end
	clone = c.elsewhere or clone
	if c.clone ~= clone then place_connection(self, c, clone) end
	if not clone or clone.state ~= "ready" then return hold(self, c) end
	release(self, c)
	c.asked = clone
	self.proxy:route(c.conn, clone.ip, clone.port, cookie_for(self, c))
end

local function arrive(self, c, request)
	c.tries, c.request, c.elsewhere = 0, request, nil
	c.is_ignored = self.is_ignored(request)
	if c.is_ignored then return direct(self, c) end
	local counted = self.sessions.count
	local session, is_new = self.identity:session_of(c.session, c.ip, request.cookie)
	if not session then return refuse(self, c, "sessions", 503, "too many users") end
	local is_first = not c.session
	enlist(self, c, session, is_new)
	if is_first or self.sessions.count ~= counted then self.on_arrival() end
	-- A user who cannot be recognised goes where each single request is to go.
	if not session.key and self.router.route.per_request then place_session(session, nil) end
	direct(self, c)
end

-- What the proxy tells ---------------------------------------------------------------------------

-- What is known of a connection; the proxy tells of one by its first request.
local function look_up(self, conn, ip)
	local c = self.open[conn]
	if not c then
		c = { conn = conn, ip = ip, tries = 0 }
		self.open[conn] = c
	end
	return c
end

---A connection was accepted; in tcp mode.
---@param conn integer the proxy's number for it
---@param ip string the client's
function Traffic:on_connection(conn, ip)
	arrive(self, look_up(self, conn, ip), { ip = ip })
end

---The head of a request has come; in http mode.
---@param conn integer
---@param ip string the client's
---@param request gridcentric.Request
function Traffic:on_request(conn, ip, request)
	request.ip = ip
	if not self.is_ignored(request) then
		count(self, "requests")
		self.requests:arrive(self.clock.now())
	end
	arrive(self, look_up(self, conn, ip), request)
end

-- Tells what became of the request or connection that was sent to a clone.
local function report_outcome(self, c, failure, detail, status)
	local clone = c.asked
	c.asked = nil
	if not clone then return end
	self.on_outcome(clone, detail or failure, status)
	if failure and detail then self.on_bad_answer(clone, detail) end
end

---The clone could not be reached, closed without an answer, or answered nonsense.
---@param conn integer
---@param code string the name of the error
---@param repeatable boolean whether the request may be sent to another clone
---@param detail string? what was wrong with the answer
function Traffic:on_failure(conn, code, repeatable, detail)
	local c = self.open[conn]
	c.tries = c.tries + 1
	report_outcome(self, c, code, detail)
	if not repeatable or c.tries >= MAX_TRIES then
		local text = detail and "malformed answer from the clone: " .. detail
			or "no answer from the clone: " .. code
		return refuse(self, c, "failed", code == "ETIMEDOUT" and 504 or 502, text)
	end
	count(self, "retried")
	local other = self.router:pick(c.request, c.clone)
	if other and (c.is_ignored or c.session.key) then
		c.elsewhere = other
	elseif other then
		place_session(c.session, other) -- which ends with this connection
	end
	if other then return direct(self, c) end
	-- It was the only clone. If it is dying, the next one is for this request; otherwise it is tried
	-- again.
	place_connection(self, c, nil)
	hold(self, c)
end

-- Takes a connection on which nothing is under way from a clone that is to have none.
local function take_away(self, c)
	self.proxy:detach(c.conn)
	place_connection(self, c, nil)
end

---A request is over. A response that was cut short counts as 502, whatever its head said.
---@param conn integer
---@param status integer
---@param ms integer? from the route to the head of the response; nil: no clone has answered
---@param code string? the name of the error that cut the response short
---@param detail string? what was wrong with the response
function Traffic:on_done(conn, status, ms, code, detail)
	local c = self.open[conn]
	if not c.is_ignored then
		self.requests:answer(self.clock.now(), code and 502 or status, ms)
	end
	report_outcome(self, c, code, detail, status)
	if c.clone and not pool.is_usable(c.clone) then take_away(self, c) end
end

---A connection is over.
---@param conn integer
function Traffic:on_close(conn)
	local c = self.open[conn]
	if not c then return end -- no request came on it
	self.open[conn] = nil
	release(self, c)
	if c.asked and self.policy.mode == "tcp" then self.on_outcome(c.asked) end
	place_connection(self, c, nil)
	if c.session then
		self.connections = self.connections - 1
		self.sessions:leave(c.session, self.clock.now())
	end
	if self:is_empty() then self.on_empty() end
end

-- What the controller asks for -------------------------------------------------------------------

---Sends on those who wait and need to no longer; places anew those whose clone is gone; refuses
---those who would wait in vain.
function Traffic:serve_held()
	for _, c in ipairs(self.held:list()) do direct(self, c) end
end

---The session of a connection; nil where none was begun.
---@param conn integer the proxy's number for it
---@return gridcentric.Session?
function Traffic:session_of(conn)
	local c = self.open[conn]
	return c and c.session
end

---Ends a session that has no connection before its time. Harmless if it has ended.
---@param session gridcentric.Session
function Traffic:end_session(session)
	self.sessions:forget(session)
end

---A clone is to end: whoever has nothing under way on it leaves it.
---@param clone gridcentric.Clone
function Traffic:vacate(clone)
	for _, c in pairs(self.open) do
		if c.clone == clone and not c.asked then take_away(self, c) end
	end
end

---Goes by another policy from now on. Who is there stays where they are.
---@param policy gridcentric.Policy
function Traffic:use(policy)
	self.policy = policy
	self.sessions.timeout = policy.session_timeout
	self.sessions.cookieless_timeout = policy.cookieless_timeout
	self.sessions.confirm = policy.count == "confirmed"
	self.is_ignored = ignore.matcher(policy.ignore)
	self.identity.policy = policy
	self.router:use(policy.route)
end

---Ends what has lasted too long: sessions that nobody came back to, waiting.
function Traffic:expire()
	local now = self.clock.now()
	self.sessions:expire(now)
	local since = now - self.policy.held.timeout
	while self.held.first and self.held.first.held_since <= since do
		turn_away(self, self.held.first, "late", "no clone was ready in time")
	end
end

---From now on each connection ends with the response that is under way, or the next one.
function Traffic:drain()
	self.draining = true
	self.proxy:drain()
	self:serve_held()
end

---@return boolean
function Traffic:is_empty()
	return next(self.open) == nil
end

return traffic
