-- Makes arrivals and departures of counts: brings as many users and connections as a trace says
-- before a service that is played.
--
-- Who comes first leaves first: that all stay about as long as each other is the least that can be
-- assumed. A user who has no connection is still a session, and the first to come back, or to leave
-- for good. A session ends when the trace says so; the policy's session_timeout is not waited for,
-- as it is in the trace already. Where a policy does not know users again (sticky = false), each
-- connection is one.

local queue = require "gridcentric.util.queue"

local crowd = {}

---@class gridcentric.CrowdUser
---@field ip string
---@field cookie string?
---@field session gridcentric.Session? none where it was refused
---@field conns integer[] open connections, or refused ones

---@class gridcentric.Crowd
---@field proxy gridcentric.ProxyModel
---@field traffic gridcentric.Traffic
---@field is_anonymous boolean each connection is a user
---@field present gridcentric.Queue of users with connections, who came first is first
---@field idle gridcentric.Queue of users without, who has been longest is first
---@field connections integer
local Crowd = { __name = "gridcentric.replay.crowd" }
Crowd.__index = Crowd

---@param proxy gridcentric.ProxyModel
---@param traffic gridcentric.Traffic
---@param is_anonymous boolean
---@return gridcentric.Crowd
function crowd.new(proxy, traffic, is_anonymous)
	return setmetatable({
		proxy = proxy, traffic = traffic, is_anonymous = is_anonymous,
		present = queue.new(), idle = queue.new(),
		connections = 0, last = 0,
	}, Crowd)
end

local function connect(self, user)
	local conn = self.proxy:open(user.ip, user.cookie)
	user.conns[#user.conns + 1] = conn
	self.connections = self.connections + 1
	user.session = self.traffic:session_of(conn)
	user.cookie = user.session and user.session.key
end

local function arrive(self)
	self.last = self.last + 1
	local n = self.last
	local ip = ("10.%d.%d.%d"):format(n >> 16 & 255, n >> 8 & 255, n & 255)
	local user = { ip = ip, conns = {} }
	self.present:push(user)
	connect(self, user)
end

local function disconnect(self, user)
	local conn = table.remove(user.conns)
	self.connections = self.connections - 1
	self.proxy:hang_up(conn)
end

local function leave(self)
	local user = self.idle:pop() or self.present:pop()
	while #user.conns > 0 do disconnect(self, user) end
	if user.session then self.traffic:end_session(user.session) end
end

local function hang_up(self)
	local user = self.present.first
	disconnect(self, user)
	if #user.conns > 0 then return end
	self.present:remove(user)
	self.idle:push(user)
end

-- Somebody who is there opens a connection more; in turns.
local function come_back(self)
	local user = self.idle:pop() or self.present:pop()
	if not user then return end
	self.present:push(user)
	connect(self, user)
end

---@param sessions integer
---@param connections integer
function Crowd:become(sessions, connections)
	if self.is_anonymous then sessions = connections end
	local coming = sessions - self.present.length - self.idle.length
	for _ = 1, -coming do leave(self) end
	-- Who comes has a connection: those who hang up for it do so before, or there were too many for
	-- a moment.
	local surplus = self.connections + math.max(coming, 0) - connections
	for _ = 1, math.min(surplus, self.connections) do hang_up(self) end
	for _ = 1, coming do arrive(self) end
	if sessions == 0 then return end
	for _ = self.connections + 1, connections do come_back(self) end
	for _ = connections + 1, self.connections do hang_up(self) end
end

return crowd
