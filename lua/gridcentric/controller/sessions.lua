-- Who uses the service, and for how long each user counts.
--
-- A session is a user. It begins with the first request or connection of somebody unknown, and
-- lasts until some time after its last connection has closed: `timeout` seconds, or no time at all
-- if it has no key by which it could be recognised. One that counts although its cookie has never
-- come back lasts for `cookieless_timeout` only: programs mostly keep no cookies.
--
-- Which sessions count: those of users who have shown their key, or have none; and, unless
-- `confirm` is set, those of users who may still show it. A session is given up when its connection
-- brings another unknown user. It then counts no longer, until its cookie comes back. So many
-- requests without cookies on one connection count as one user, and yet each gets its own cookie.
--
-- Pure: the time (seconds, never going back) and the making of keys are arguments. Each function
-- takes constant time, expire() for each session that ends.

local queue = require "gridcentric.util.queue"

local sessions = {}

local QUEUES = { "known", "cookieless", "silent" }

---@class gridcentric.Session
---@field key string? by which it is found
---@field known boolean whether the user has shown the key
---@field counts boolean
---@field connections integer open ones
---@field left_at number? when its last connection closed; while it has none
---@field clone gridcentric.Clone? where it is served

---@class gridcentric.Sessions
---@field count integer of those that count now
---@field total integer of all
---@field timeout number seconds; a change also affects those who have left before
---@field cookieless_timeout number seconds; the same
---@field confirm boolean whether only those who have shown their key count
local Sessions = { __name = "gridcentric.sessions" }
Sessions.__index = Sessions

---@class gridcentric.SessionOptions
---@field timeout number seconds
---@field cookieless_timeout number seconds
---@field confirm? boolean
---@field on_count? fun(session: gridcentric.Session, n: 1|-1) called when one begins to count, or
--- ceases to

---@param options gridcentric.SessionOptions
---@return gridcentric.Sessions
function sessions.new(options)
	return setmetatable({
		count = 0,
		total = 0,
		timeout = options.timeout,
		cookieless_timeout = options.cookieless_timeout,
		confirm = options.confirm or false,
		on_count = options.on_count or function() end,
		by_key = {},
		-- Those without a connection, by what ends them. In each queue all have the same timeout, so
		-- that they end in the order in which they were left.
		known = queue.new(), -- timeout
		cookieless = queue.new(), -- cookieless_timeout; these count
		silent = queue.new(), -- timeout, or make_room(); these do not count
	}, Sessions)
end

local function set_counts(self, session, counts)
	if session.counts == counts then return end
	session.counts = counts
	local n = counts and 1 or -1
	self.count = self.count + n
	self.on_count(session, n)
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
	local session = { key = key, known = known, counts = false, connections = 1 }
	if key then self.by_key[key] = session end
	self.total = self.total + 1
	set_counts(self, session, known or not key or not self.confirm)
	return session
end

---The user has shown the key, and is here: join() follows, unless the connection is known.
---@param session gridcentric.Session
function Sessions:recognise(session)
	session.known = true
	set_counts(self, session, true)
end

---A further connection belongs to the session.
---@param session gridcentric.Session
function Sessions:join(session)
	if session.connections == 0 then
		for _, name in ipairs(QUEUES) do self[name]:remove(session) end
		session.left_at = nil
	end
	session.connections = session.connections + 1
end

local function finish(self, session)
	if session.key then self.by_key[session.key] = nil end
	self.total = self.total - 1
	set_counts(self, session, false)
end

---A connection of the session has closed, or belongs to another one now.
---@param session gridcentric.Session
---@param now number
function Sessions:leave(session, now)
	session.connections = session.connections - 1
	if session.connections > 0 then return end
	if not session.key then return finish(self, session) end
	session.left_at = now
	local waiting = session.known and self.known or session.counts and self.cookieless or self.silent
	waiting:push(session)
end

---The connection of a session, which was just left, belongs to another unknown user now.
---@param session gridcentric.Session
function Sessions:give_up(session)
	if not self.cookieless:has(session) then return end
	self.cookieless:remove(session)
	self.silent:push(session)
	set_counts(self, session, false)
end

---Ends a session that has no connection before its time. Harmless if it has ended.
---@param session gridcentric.Session
function Sessions:forget(session)
	for _, name in ipairs(QUEUES) do
		if self[name]:has(session) then
			self[name]:remove(session)
			return finish(self, session)
		end
	end
end

---Makes room for one more: ends the session that has waited longest for its cookie to come back.
---@param max integer
---@return boolean # whether there are fewer than max then
function Sessions:make_room(max)
	local waiting = self.silent.first and self.silent or self.cookieless
	if self.total >= max and waiting.first then finish(self, waiting:pop()) end
	return self.total < max
end

local function expire_queue(self, waiting, since)
	while waiting.first and waiting.first.left_at <= since do finish(self, waiting:pop()) end
end

---Ends the sessions whose time has come.
---@param now number
function Sessions:expire(now)
	expire_queue(self, self.cookieless, now - self.cookieless_timeout)
	expire_queue(self, self.known, now - self.timeout)
	expire_queue(self, self.silent, now - self.timeout)
end

return sessions
