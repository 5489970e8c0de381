-- Who uses the service, and for how long each one counts.
--
-- A session is a user. It begins with the first connection of somebody unknown and counts until
-- some time after its last connection closed: `timeout` seconds; `cookieless_timeout` if it was
-- given a cookie that never came back, as to programs that keep none; not at all if it has no key
-- by which it could be known again.
--
-- Pure: the time (seconds, never going back) and the making of keys are arguments. Each function
-- takes constant time, expire() for each session that ends.

local queue = require "gridcentric.util.queue"

local sessions = {}

---@class gridcentric.Session
---@field key string? by which it is found
---@field known boolean whether the user has shown the key
---@field connections integer open ones
---@field left_at number? when its last connection closed; while it has none
---@field clone gridcentric.Clone? where it is served

---@class gridcentric.Sessions
---@field count integer of those that count now
---@field timeout number seconds; when it changes, it counts for those who have left before, too
---@field cookieless_timeout number seconds; the same
local Sessions = { __name = "gridcentric.sessions" }
Sessions.__index = Sessions

---@class gridcentric.SessionOptions
---@field timeout number seconds
---@field cookieless_timeout number seconds
---@field on_end? fun(session: gridcentric.Session) told of each that counts no longer

---@param options gridcentric.SessionOptions
---@return gridcentric.Sessions
function sessions.new(options)
	return setmetatable({
		count = 0,
		timeout = options.timeout,
		cookieless_timeout = options.cookieless_timeout,
		on_end = options.on_end or function() end,
		by_key = {},
		-- Those without a connection. In each queue all have the same timeout, so that the order in
		-- which they were left is that in which they end.
		known = queue.new(),
		cookieless = queue.new(),
	}, Sessions)
end

---@param key string?
---@return gridcentric.Session?
function Sessions:find(key)
	return key and self.by_key[key]
end

---Begins a session, which has one connection.
---@param key string? new; none for one that ends with its connection
---@param known boolean whether the key is the user's own, like an address
---@return gridcentric.Session
function Sessions:begin(key, known)
	local session = { key = key, known = known, connections = 1 }
	if key then self.by_key[key] = session end
	self.count = self.count + 1
	return session
end

---A further connection belongs to the session.
---@param session gridcentric.Session
function Sessions:join(session)
	if session.connections == 0 then
		self.known:remove(session)
		self.cookieless:remove(session)
		session.left_at = nil
	end
	session.connections = session.connections + 1
end

local function finish(self, session)
	if session.key then self.by_key[session.key] = nil end
	self.count = self.count - 1
	self.on_end(session)
end

---A connection of the session has closed, or belongs to another one now.
---@param session gridcentric.Session
---@param now number
function Sessions:leave(session, now)
	session.connections = session.connections - 1
	if session.connections > 0 then return end
	if not session.key then return finish(self, session) end
	session.left_at = now
	local waiting = session.known and self.known or self.cookieless
	waiting:push(session)
end

---Ends a session that has no connection before its time. Harmless if it has ended.
---@param session gridcentric.Session
function Sessions:forget(session)
	local waiting = self.known:has(session) and self.known
		or self.cookieless:has(session) and self.cookieless
	if not waiting then return end
	waiting:remove(session)
	finish(self, session)
end

local function expire_queue(self, waiting, since)
	while waiting.first and waiting.first.left_at <= since do finish(self, waiting:pop()) end
end

---Ends the sessions whose time has come.
---@param now number
function Sessions:expire(now)
	expire_queue(self, self.cookieless, now - self.cookieless_timeout)
	expire_queue(self, self.known, now - self.timeout)
end

return sessions
