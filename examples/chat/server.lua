-- A chat room on luv: one page and five requests.
--
--   GET /join?nick=ada         takes a seat: {"id", "nick", "vmid"}
--   GET /send?id=&text=hello   posts a message: {"seq", "vmid"}
--   GET /recv?id=&since=0      newer messages: {"messages", "next", "nicks", "vmid"};
--                              while there are none, the answer waits for up to 25 seconds
--   GET /part?id=              gives the seat back: {"vmid"}
--   GET /who                   {"nicks", "vmid"}
--
-- A message is {"seq", "time", "vmid"} with "nick" and "text", or with "nick" and "event" (joined,
-- left); the first one is the event "opened".
--
-- The room lives in the memory of this process, and nothing here knows how to start another one.
-- The three lines at the bottom have the running process cloned, with its room, for every two
-- users.
--
--   lua5.4 server.lua [port]   and open http://127.0.0.1:8080

local uv = require "luv"
local json = require "dkjson"
local gc = require "gridcentric"

local MAX_HEAD = 8192 -- bytes of a request's head; room for MAX_TEXT, percent-encoded
local MAX_NICK = 24 -- characters
local MAX_TEXT = 500 -- characters
local MAX_MEMBERS = 200
local MAX_HISTORY = 200 -- messages kept for members who join later
local POLL_MS = 25000 -- the longest that an answer is held
local GONE_MS = 60000 -- a member or connection that is silent for longer is gone
local LINGER_MS = 2000 -- time for a client to read the last answer before its connection closes

-- The room ----------------------------------------------------------------------------------------

local members = {} -- in order of arrival: { id =, nick =, seen = ms }
local history = {} -- the last messages, oldest first
local seq = 0 -- number of the latest message
local polls = {} -- connection -> { id =, since = }: a recv whose answer is held
local answer_poll

-- Adds a message to the history, and answers all polls.
local function post(message)
	seq = seq + 1
	message.seq, message.time, message.vmid = seq, os.time(), gc.vmid()
	table.insert(history, message)
	if #history > MAX_HISTORY then table.remove(history, 1) end
	for conn in pairs(polls) do answer_poll(conn) end
end

-- The messages after number `since`. A number that is too high comes from another process, which
-- had more: then all messages.
local function updates_since(since)
	local nnew = since > seq and #history or math.min(seq - since, #history)
	local messages = table.move(history, #history - nnew + 1, #history, 1, {})
	local nicks = {}
	for i, member in ipairs(members) do nicks[i] = member.nick end
	return { messages = messages, next = seq, nicks = nicks, vmid = gc.vmid() }
end

-- Returns the member with this id, from now on seen, and its place; or nil, status and reason.
local function find_member(id)
	for i, member in ipairs(members) do
		if member.id == id then
			member.seen = uv.now()
			return member, i
		end
	end
	return nil, 410, "nobody here has this id: join"
end

local function leave(place)
	local member = table.remove(members, place)
	post { event = "left", nick = member.nick }
end

-- Two members with one name would be confused: the second ada becomes "ada 2".
local function distinct(nick)
	local taken = {}
	for _, member in ipairs(members) do taken[member.nick:lower()] = true end
	local name, n = nick, 1
	while taken[name:lower()] do
		n = n + 1
		name = nick .. " " .. n
	end
	return name
end

-- Returns the text without blanks at its ends, or nil if it is not 1 to `max` printable characters.
local function clean(text, max)
	local first = text and text:find("%S")
	text = first and text:match("^.*%S", first)
	local len = text and not text:find("%c") and utf8.len(text)
	return len and len <= max and text or nil
end

-- The requests: each returns its answer; nil, status and reason; or nothing and answers later -----

local requests = {}

function requests.join(query)
	local nick = clean(query.nick, MAX_NICK)
	if not nick then return nil, 400, ("a nick has 1 to %d characters"):format(MAX_NICK) end
	if #members >= MAX_MEMBERS then return nil, 503, "the room is full" end
	nick = distinct(nick)
	-- Bytes from the kernel, not math.random: they cannot be guessed, and clones get others.
	local id = assert(uv.random(16)):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
	table.insert(members, { id = id, nick = nick, seen = uv.now() })
	post { event = "joined", nick = nick }
	return { id = id, nick = nick, vmid = gc.vmid() }
end

function requests.send(query)
	local member, status, reason = find_member(query.id)
	if not member then return nil, status, reason end
	local text = clean(query.text, MAX_TEXT)
	if not text then return nil, 400, ("a text has 1 to %d characters"):format(MAX_TEXT) end
	post { nick = member.nick, text = text }
	return { seq = seq, vmid = gc.vmid() }
end

function requests.recv(query, conn)
	local member, status, reason = find_member(query.id)
	if not member then return nil, status, reason end
	local since = math.tointeger(tonumber((query.since or "0"):match("^%d+$")))
	if not since then return nil, 400, "since is the number of a message" end
	if since ~= seq then return updates_since(since) end
	polls[conn] = { id = member.id, since = since }
	conn.deadline = uv.now() + POLL_MS
end

function requests.part(query)
	local member, place, reason = find_member(query.id)
	if not member then return nil, place, reason end
	leave(place)
	return { vmid = gc.vmid() }
end

function requests.who()
	local now = updates_since(seq)
	return { nicks = now.nicks, vmid = now.vmid }
end

-- HTTP/1.1: on each connection one request at a time ----------------------------------------------

local REASONS = {
	[200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed",
	[410] = "Gone", [413] = "Content Too Large", [431] = "Request Header Fields Too Large",
	[503] = "Service Unavailable",
}
local JSON = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
local HTML = "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"
	.. "Content-Security-Policy: default-src 'none'; connect-src 'self'; img-src data:; "
	.. "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
	.. "form-action 'none'; frame-ancestors 'none'\r\n"
local ORDER = { keyorder = {
	"seq", "time", "id", "nick", "text", "event", "messages", "next", "nicks", "vmid",
} }

local file = assert(io.open((arg[0]:match("^.*/") or "") .. "page.html", "rb"))
local page = file:read("a")
file:close()

local connections = {} -- { socket =, buffer =, deadline = ms, busy =, keep =, head_only = } -> true
local serve

local function close(conn)
	connections[conn], polls[conn] = nil, nil
	if not conn.socket:is_closing() then conn.socket:close() end
end

local function respond(conn, status, fields, body)
	local head = ("HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Length: %d\r\n%s%s%s\r\n"):format(
		status, REASONS[status], os.date("!%a, %d %b %Y %H:%M:%S GMT"), #body, fields,
		"X-Content-Type-Options: nosniff\r\n", conn.keep and "" or "Connection: close\r\n")
	conn.deadline = uv.now() + GONE_MS
	conn.socket:write(conn.head_only and head or { head, body }, function(err)
		if err then return close(conn) end
		if conn.keep then
			conn.busy = false
			return serve(conn)
		end
		-- Closing now, with unread bytes of the client, would reset the connection and lose the answer.
		conn.socket:shutdown()
		conn.deadline = uv.now() + LINGER_MS
	end)
end

local function respond_json(conn, value, status, reason)
	local fields = status == 405 and JSON .. "Allow: GET\r\n" or JSON
	local body = json.encode(value or { error = reason }, ORDER) .. "\n"
	respond(conn, value and 200 or status, fields, body)
end

function answer_poll(conn)
	local poll = polls[conn]
	polls[conn] = nil
	local member, status, reason = find_member(poll.id)
	respond_json(conn, member and updates_since(poll.since), status, reason)
end

-- Returns the decoded fields of a query; nil if a % lacks its two digits.
local function parse_query(text)
	if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
	local function character(hex) return string.char(tonumber(hex, 16)) end
	local function decode(part) return (part:gsub("+", " "):gsub("%%(%x%x)", character)) end
	local query = {}
	for name, value in text:gmatch("([^&=]+)=?([^&]*)") do query[decode(name)] = decode(value) end
	return query
end

-- Returns method, path and query of a request, and whether its connection stays open; or nil,
-- status and reason.
local function parse_head(head)
	local method, target, minor, rest = head:match("^(%u+) (%g+) HTTP/1%.([01])\r\n(.*)$")
	if not method then return nil, 400, "this is not an HTTP/1.1 request" end
	local fields = {} -- in lower case, with a comma after each value
	for line in rest:gmatch("(.-)\r\n") do
		local name, value = line:lower():match("^([%w!#$%%&'*+.^_`|~-]+):[ \t]*([^%z\r\n]-)[ \t]*$")
		if not name then return nil, 400, "this is not a header field" end
		fields[name] = (fields[name] or "") .. value .. ","
	end
	if minor == "1" and not fields.host then return nil, 400, "the Host field is missing" end
	if method ~= "GET" and method ~= "HEAD" then return nil, 405, "only GET is served here" end
	if fields["transfer-encoding"] or (fields["content-length"] or "0,") ~= "0," then
		return nil, 413, "no request has a body here"
	end
	local path, text = target:gsub("^http://[^/?]*/?", "/"):match("^([^?]*)%??(.*)$")
	local query = parse_query(text)
	if not query then return nil, 400, "the query has a % without two digits" end
	return method, path, query, minor == "1" and not (fields.connection or ""):find("close", 1, true)
end

local function answer(conn, method, path, query, keep)
	if not method then return respond_json(conn, nil, path, query) end
	conn.keep, conn.head_only = keep, method == "HEAD"
	if path == "/" then return respond(conn, 200, HTML, page) end
	local request = requests[path:match("^/(%l+)$")]
	if not request then return respond_json(conn, nil, 404, "there is nothing at " .. path) end
	if conn.head_only and request ~= requests.who then -- HEAD changes nothing, the others do
		return respond_json(conn, nil, 405, "only GET is served here")
	end
	local value, status, reason = request(query, conn)
	if value or status then respond_json(conn, value, status, reason) end
end

-- Answers the request that the buffer of a connection begins with, if it is all there.
function serve(conn)
	local stop = conn.buffer:find("\r\n\r\n", 1, true)
	if not stop and #conn.buffer < MAX_HEAD then return end
	conn.busy, conn.keep, conn.head_only = true, false, false
	if not stop or stop > MAX_HEAD then
		return respond_json(conn, nil, 431, ("a head has up to %d bytes"):format(MAX_HEAD))
	end
	local head = conn.buffer:sub(1, stop + 1)
	conn.buffer = conn.buffer:sub(stop + 4)
	answer(conn, parse_head(head))
end

local function accept(server)
	local conn = { socket = uv.new_tcp(), buffer = "", deadline = uv.now() + GONE_MS }
	assert(server:accept(conn.socket))
	conn.socket:nodelay(true)
	connections[conn] = true
	conn.socket:read_start(function(err, data)
		if err or not data then return close(conn) end
		if conn.busy and not conn.keep then return end -- what follows the last request is not read
		conn.buffer = conn.buffer .. data
		if not conn.busy then return serve(conn) end
		if #conn.buffer > MAX_HEAD then close(conn) end -- it asks faster than it hears
	end)
end

-- Each second: members that are gone, answers and connections whose time is over.
local function sweep()
	local now = uv.now()
	for place = #members, 1, -1 do
		if now - members[place].seen > GONE_MS then leave(place) end
	end
	for conn in pairs(connections) do
		if now >= conn.deadline then (polls[conn] and answer_poll or close)(conn) end
	end
end

-- A client that is gone is an error of the write to it; SIGPIPE would be the end of this process.
local sigpipe = uv.new_signal()
sigpipe:start("sigpipe", function() end)
sigpipe:unref()

local server = uv.new_tcp()
assert(server:bind(os.getenv "HOST" or "127.0.0.1", tonumber(os.getenv("PORT")) or 0))
assert(server:listen(128, function(err) if not err then accept(server) end end))
local PORT = server:getsockname().port
uv.new_timer():start(1000, 1000, sweep)
post { event = "opened" }

-- three lines, as in 2011
local autoscale = require "gridcentric.autoscale"
autoscale.setup(tonumber(arg[1]) or 8080, PORT)
uv.run()
