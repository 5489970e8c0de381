-- examples/chat/server.lua by itself: its requests, its manners in HTTP, its limits, and
-- what becomes of the room in a clone.

local async = require "spec.support.async"
local json = require "dkjson"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"

-- What the program requires: a domain numbered 7, an autoscaler that says where the
-- program listens. SIGUSR1 moves the program's clock on by 30 s, and what it does each
-- second it does each 10 ms.
local STUBS = [[
	package.preload["gridcentric"] = function()
		return { vmid = function() return 7 end }
	end
	package.preload["gridcentric.autoscale"] = function()
		return { setup = function(...) print("setup", ...) io.stdout:flush() end }
	end
	local uv = require "luv"
	local now, ahead = uv.now, 0
	function uv.now() return now() + ahead end
	uv.new_signal():start("sigusr1", function()
		ahead = ahead + 30000
		print("ahead", ahead)
		io.stdout:flush()
	end)
	local timer_methods = getmetatable(uv.new_timer()).__index
	local start = timer_methods.start
	function timer_methods.start(timer, _, _, callback) return start(timer, 10, 10, callback) end
]]

local function encode(text)
	return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Runs body(chat, t): chat.get asks and decodes, chat.join and the others ask what they
-- are called after, and want a 200.
local function with_server(body)
	async.run(function(t)
		local process = t.spawn{
			"lua5.4", "-e", STUBS, paths.examples .. "/chat/server.lua", env = { PORT = false },
		}
		local chat = { process = process, port = tonumber(process:line("^setup\t8080\t(%d+)$")) }

		-- Status and decoded answer; fields is a table, in which ids and texts are as they are.
		function chat.get(path, fields)
			local parts = {}
			for name, value in pairs(fields or {}) do
				parts[#parts + 1] = name .. "=" .. encode(tostring(value))
			end
			local query = #parts > 0 and "?" .. table.concat(parts, "&") or ""
			local response = assert(t.http{ port = chat.port, path = path .. query })
			return response.status, assert(json.decode(response.body)), response
		end

		local function ask(path, fields)
			local status, answer = chat.get(path, fields)
			assert.equal(200, status, answer.error)
			return answer
		end
		function chat.join(nick) return ask("/join", { nick = nick }) end
		function chat.send(id, text) return ask("/send", { id = id, text = text }) end
		function chat.recv(id, since) return ask("/recv", { id = id, since = since }) end
		function chat.part(id) return ask("/part", { id = id }) end
		function chat.who() return ask("/who") end
		function chat.sleep_half_a_minute()
			process:kill("sigusr1")
			process:line("^ahead")
		end

		body(chat, t)
		assert.equal("", process.stderr)
		process:stop()
	end)
end

local function texts(messages)
	local list = {}
	for _, message in ipairs(messages) do
		list[#list + 1] = message.text or ("%s %s"):format(message.nick, message.event)
	end
	return list
end

-- The answer to raw bytes; with the connection, which stays open.
local function raw(t, port, bytes)
	local connection = assert(t.http_connect{ port = port })
	connection:write(bytes)
	local response = assert(connection:head())
	response.body = connection:body(response)
	return response, connection
end

describe("the chat server", function()
	it("serves the page", function()
		with_server(function(chat, t)
			local page = t.http{ port = chat.port }
			assert.equal(200, page.status)
			assert.equal("text/html; charset=utf-8", page.headers["content-type"])
			assert.matches("^<!doctype html>.*</html>\n$", page.body)
			assert.matches("default%-src 'none'", page.headers["content-security-policy"])
			local head = t.http{ port = chat.port, method = "HEAD" }
			assert.equal(tostring(#page.body), head.headers["content-length"])
		end)
	end)

	it("listens where PORT says", function()
		async.run(function(t)
			local port = t.free_port()
			local process = t.spawn{
				"lua5.4", "-e", STUBS, "server.lua", "9000",
				cwd = paths.examples .. "/chat", env = { PORT = tostring(port) },
			}
			process:line("^setup\t9000\t" .. port .. "$")
			assert.equal(200, t.http{ port = port }.status)
			process:stop()
		end)
	end)

	describe("room", function()
		it("lists the members and names its domain", function()
			with_server(function(chat)
				assert.same({ nicks = {}, vmid = 7 }, chat.who())
				chat.join("ada")
				chat.join("grace")
				assert.same({ nicks = { "ada", "grace" }, vmid = 7 }, chat.who())
			end)
		end)

		it("gives each member an id of its own, and a name of its own", function()
			with_server(function(chat)
				local ada, second, third = chat.join("ada"), chat.join(" Ada "), chat.join("ada")
				assert.matches("^%x+$", ada.id)
				assert.equal(32, #ada.id)
				assert.not_equal(ada.id, second.id)
				assert.same({ "ada", "Ada 2", "ada 3" }, { ada.nick, second.nick, third.nick })
				assert.equal(7, ada.vmid)
			end)
		end)

		it("numbers messages, and gives those after a number", function()
			with_server(function(chat)
				local ada, grace = chat.join("ada"), chat.join("grace")
				local seq = chat.send(ada.id, "one").seq
				assert.equal(seq + 1, chat.send(grace.id, "two").seq)

				local news = chat.recv(ada.id, seq - 1)
				assert.same({ "one", "two" }, texts(news.messages))
				assert.equal(seq + 1, news.next)
				assert.same({ "ada", "grace" }, news.nicks)
				local second = news.messages[2]
				assert.same({ seq + 1, "grace", 7 }, { second.seq, second.nick, second.vmid })
				assert.near(os.time(), second.time, 60)

				assert.same({ "two" }, texts(chat.recv(grace.id, seq).messages))
			end)
		end)

		it("gives all messages to a client that counts on from another process", function()
			with_server(function(chat)
				local ada = chat.join("ada")
				chat.send(ada.id, "hello")
				assert.same(chat.recv(ada.id, 0), chat.recv(ada.id, 1000))
				assert.equal("opened", chat.recv(ada.id, 0).messages[1].event)
			end)
		end)

		it("reports members who join and leave", function()
			with_server(function(chat)
				local ada, grace = chat.join("ada"), chat.join("grace")
				chat.part(ada.id)
				local said = texts(chat.recv(grace.id, 1).messages)
				assert.same({ "ada joined", "grace joined", "ada left" }, said)
				assert.same({ "grace" }, chat.who().nicks)
				assert.equal(410, (chat.get("/send", { id = ada.id, text = "I am back" })))
			end)
		end)

		it("gives names and texts back unchanged", function()
			with_server(function(chat)
				local nick, text = [[<i>"&'\</i>]], "<script>alert(1)</script> +&=%41 \u{1F600} \u{2028}é"
				local id = chat.join(nick).id
				chat.send(id, text)
				local said = chat.recv(id, 2).messages[1]
				assert.same({ nick, text }, { said.nick, said.text })
				local _, _, response = chat.get("/who")
				assert.equal("application/json", response.headers["content-type"])
				assert.equal("nosniff", response.headers["x-content-type-options"])
				assert.equal("no-store", response.headers["cache-control"])
			end)
		end)

		it("keeps the last 200 messages", function()
			with_server(function(chat, t)
				local id = chat.join("ada").id
				local connection = t.http_connect{ port = chat.port }
				for i = 1, 250 do
					connection:request{ path = ("/send?id=%s&text=%d"):format(id, i) }
				end
				connection:close()
				local news = chat.recv(id, 0)
				assert.equal(200, #news.messages)
				assert.same({ "51", "250" }, { news.messages[1].text, news.messages[200].text })
				assert.equal(news.next, news.messages[200].seq)
			end)
		end)

		it("has 200 seats", function()
			with_server(function(chat, t)
				local connection = t.http_connect{ port = chat.port }
				for i = 1, 200 do
					assert.equal(200, connection:request{ path = "/join?nick=n" .. i }.status)
				end
				local response = connection:request{ path = "/join?nick=late" }
				connection:close()
				assert.equal(503, response.status)
				assert.equal("the room is full", json.decode(response.body).error)
			end)
		end)
	end)

	describe("long poll", function()
		it("is answered as soon as somebody posts a message", function()
			with_server(function(chat, t)
				local ada, grace = chat.join("ada"), chat.join("grace")
				local since = chat.recv(ada.id, 0).next
				local answers = t.all{
					function() return chat.recv(ada.id, since) end,
					function() return chat.recv(grace.id, since) end,
					function() return chat.send(grace.id, "hello") end,
				}
				assert.same({ "hello" }, texts(answers[1].messages))
				assert.same({ "hello" }, texts(answers[2].messages))
				assert.equal(since + 1, answers[1].next)
			end)
		end)

		it("is answered with nothing after 25 seconds, and keeps the seat meanwhile", function()
			with_server(function(chat, t)
				local id = chat.join("ada").id
				local since = chat.recv(id, 0).next
				local connection = t.http_connect{ port = chat.port }
				connection:request{ path = "/who" }
				for _ = 1, 4 do
					connection:send{ path = ("/recv?id=%s&since=%d"):format(id, since) }
					chat.who() -- which came later, so the poll is being held now
					chat.process:kill("sigusr1")
					local answer = json.decode(connection:body(connection:head()))
					assert.same({ {}, since }, { answer.messages, answer.next })
				end
				connection:close()
				assert.same({ "ada" }, chat.who().nicks)
			end)
		end)

		it("ends when the seat is given back", function()
			with_server(function(chat, t)
				local id = chat.join("ada").id
				local since = chat.recv(id, 0).next
				local status = t.all{
					function() return (chat.get("/recv", { id = id, since = since })) end,
					function() chat.part(id) end,
				}[1]
				assert.equal(410, status)
			end)
		end)

		it("goes on by id on another connection when its own is lost", function()
			with_server(function(chat, t)
				local ada, grace = chat.join("ada"), chat.join("grace")
				local since = chat.recv(ada.id, 0).next
				for _, how in ipairs{ "close", "reset" } do
					local connection = t.http_connect{ port = chat.port }
					connection:send{ path = ("/recv?id=%s&since=%d"):format(ada.id, since) }
					connection[how](connection)
				end
				chat.send(grace.id, "are you there?")
				assert.same({ "are you there?" }, texts(chat.recv(ada.id, since).messages))
				assert.same({ "ada", "grace" }, chat.who().nicks)
			end)
		end)
	end)

	it("removes a member that is silent for a minute", function()
		with_server(function(chat, t)
			local ada, grace = chat.join("ada"), chat.join("grace")
			for i = 1, 3 do
				chat.sleep_half_a_minute()
				chat.send(grace.id, "still here " .. i)
			end
			t.wait_until(function() return #chat.who().nicks == 1 end, nil, "ada's leaving")
			assert.same({ "grace" }, chat.who().nicks)
			assert.equal(410, (chat.get("/recv", { id = ada.id, since = 0 })))
			local said = table.concat(texts(chat.recv(grace.id, 0).messages), ", ")
			assert.matches("ada left", said)
		end)
	end)

	it("closes a connection without requests for a minute", function()
		with_server(function(chat, t)
			local silent = t.connect{ port = chat.port }
			local dripping = t.connect{ port = chat.port }
			dripping:write("GET /who HTTP/1.1\r\n")
			local used = t.http_connect{ port = chat.port }
			assert.equal(200, used:request{ path = "/who" }.status)
			for _ = 1, 3 do
				chat.sleep_half_a_minute()
				chat.who()
			end
			for _, connection in ipairs{ silent, dripping, used } do
				assert.equal("", connection:read_all())
				connection:close()
			end
		end)
	end)

	describe("answers", function()
		local function refuses(what, path, status)
			it(("%d to %s"):format(status, what), function()
				with_server(function(chat)
					local id = chat.join("ada").id
					local got, answer = chat.get((path:gsub("ID", id)))
					assert.equal(status, got)
					assert.equal("string", type(answer.error))
					assert.same({ "ada" }, chat.who().nicks)
				end)
			end)
		end
		refuses("no nick", "/join", 400)
		refuses("an empty nick", "/join?nick=", 400)
		refuses("a nick of blanks", "/join?nick=+%20+", 400)
		refuses("a nick of 25 characters", "/join?nick=" .. ("%C3%A9"):rep(25), 400)
		refuses("a nick with a line break", "/join?nick=a%0Ab", 400)
		refuses("a nick with a NUL", "/join?nick=a%00b", 400)
		refuses("a nick that is not UTF-8", "/join?nick=%FF%FE", 400)
		refuses("a surrogate for a nick", "/join?nick=%ED%A0%80", 400)
		refuses("half a percent escape", "/join?nick=a%4", 400)
		refuses("a wrong percent escape", "/join?nick=%zz", 400)
		refuses("an unknown id", "/send?id=0123&text=hello", 410)
		refuses("no id", "/recv?since=0", 410)
		refuses("no text", "/send?id=ID", 400)
		refuses("a text of 501 characters", "/send?id=ID&text=" .. ("x"):rep(501), 400)
		refuses("a negative since", "/recv?id=ID&since=-1", 400)
		refuses("a since that is no number", "/recv?id=ID&since=0x10", 400)
		refuses("a since beyond all numbers", "/recv?id=ID&since=" .. ("9"):rep(30), 400)
		refuses("another path", "/nope", 404)
		refuses("a path below", "/join/?nick=ada", 404)
		refuses("another file", "/server.lua", 404)
		refuses("a way out", "/../policy.lua", 404)

		it("200 to a text of 500 characters of four bytes each", function()
			with_server(function(chat)
				local id, text = chat.join("ada").id, ("\u{1F600}"):rep(500)
				chat.send(id, text)
				assert.equal(text, chat.recv(id, 2).messages[1].text)
			end)
		end)
	end)

	describe("in HTTP", function()
		it("keeps a connection open, also for requests sent at once", function()
			with_server(function(chat, t)
				local connection = t.http_connect{ port = chat.port }
				assert.equal(200, connection:request{ path = "/who" }.status)
				assert.equal(404, connection:request{ path = "/nope" }.status)
				connection:write(("GET /who HTTP/1.1\r\nHost: x\r\n\r\n"):rep(3))
				for _ = 1, 3 do
					local response = connection:head()
					assert.equal(7, json.decode(connection:body(response)).vmid)
				end
				assert.equal("", connection:request{ path = "/who", method = "HEAD" }.body)
				assert.equal(200, connection:request{ path = "/who" }.status)
				connection:close()
			end)
		end)

		it("closes the connection when it is asked to", function()
			with_server(function(chat, t)
				for _, head in ipairs{
					"GET /who HTTP/1.0\r\n\r\n",
					"GET /who HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n",
				} do
					local response, connection = raw(t, chat.port, head)
					assert.same({ 200, "close" }, { response.status, response.headers.connection })
					assert.equal("", connection:read_all())
					connection:close()
				end
			end)
		end)

		it("understands requests in the form for proxies", function()
			with_server(function(chat, t)
				for _, target in ipairs{ "http://example.org/who", "http://example.org/who?x=1" } do
					local response, connection = raw(t, chat.port,
						("GET %s HTTP/1.1\r\nHost: example.org\r\n\r\n"):format(target))
					assert.equal(200, response.status)
					connection:close()
				end
			end)
		end)

		local function refuses(what, status, bytes)
			it(("answers %d to %s and hangs up"):format(status, what), function()
				with_server(function(chat, t)
					local response, connection = raw(t, chat.port, bytes)
					assert.same({ status, "close" }, { response.status, response.headers.connection })
					assert.equal(status == 405 and "GET" or nil, response.headers.allow)
					assert.equal("", connection:read_all())
					connection:close()
					assert.equal(7, chat.who().vmid)
				end)
			end)
		end
		refuses("what is no HTTP", 400, "hello\r\n\r\n")
		refuses("another version", 400, "GET / HTTP/2.0\r\nHost: x\r\n\r\n")
		refuses("a blank in the target", 400, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n")
		refuses("no Host", 400, "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n")
		refuses("a field without a colon", 400, "GET / HTTP/1.1\r\nHost: x\r\nfoo\r\n\r\n")
		refuses("a blank before the colon", 400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n")
		refuses("a folded field", 400, "GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n")
		refuses("a bare line feed", 400, "GET / HTTP/1.1\r\nHost: x\nfoo: bar\r\n\r\n")
		refuses("a NUL", 400, "GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n")
		refuses("a body", 413, "GET /who HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
		refuses("two lengths", 413,
			"GET /who HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello")
		refuses("a chunked body", 413,
			"GET /who HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
		refuses("another method", 405, "POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
		refuses("a head that is too long", 431,
			"GET / HTTP/1.1\r\nHost: x\r\nX: " .. ("x"):rep(9000) .. "\r\n\r\n")
		refuses("a head that does not end", 431, ("x"):rep(20000))

		it("accepts a Content-Length of 0", function()
			with_server(function(chat, t)
				local response, connection = raw(t, chat.port,
					"GET /who HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
				assert.equal(200, response.status)
				connection:close()
			end)
		end)

		it("changes nothing on HEAD", function()
			with_server(function(chat, t)
				local response = t.http{ port = chat.port, method = "HEAD", path = "/join?nick=ada" }
				assert.same({ 405, "GET" }, { response.status, response.headers.allow })
				assert.same({}, chat.who().nicks)
			end)
		end)

		it("closes a connection whose client does not read", function()
			with_server(function(chat, t)
				local connection = t.connect{ port = chat.port }
				for _ = 1, 2000 do
					if not connection:write(("GET / HTTP/1.1\r\nHost: x\r\n\r\n"):rep(100)) then break end
				end
				connection:read_all() -- there is an end
				connection:close()
				assert.equal(7, chat.who().vmid)
			end)
		end)

		it("survives any bytes", function()
			with_server(function(chat, t)
				local state = 42
				local function random(n) -- the same bytes on each machine
					state = (state * 1103515245 + 12345) % 2147483648
					return state // 65536 % n + 1
				end
				local pieces = {
					"GET ", "HEAD ", "/", "/recv", "/join?", "nick=", "id=", "&", "%", "%41", "+", " ",
					"HTTP/1.1", "HTTP/1.0", "\r\n", "\r\n\r\n", "\n", "Host: x", "Connection: ", "close",
					":", "\0", "\255", "http://", ("y"):rep(3000),
				}
				for _ = 1, 300 do
					local bytes = {}
					for i = 1, random(40) do bytes[i] = pieces[random(#pieces)] end
					local connection = t.connect{ port = chat.port }
					connection:write(table.concat(bytes))
					connection:close()
				end
				assert.equal(7, chat.who().vmid)
			end)
		end)
	end)

	it("has clones that start with its room, and go on by themselves", function()
		if puppet.missing then pending(puppet.missing) end
		async.run(function(t)
			local master, front = t.free_port(), t.free_port()
			local process = t.spawn{
				"lua5.4", paths.examples .. "/chat/server.lua", tostring(front),
				env = { PORT = tostring(master) },
			}
			t.wait_until(function()
				local connection = t.connect{ port = front }
				if connection then connection:close() end
				return connection
			end, nil, "the port")
			local function get(port, path, jar)
				return json.decode(t.http{ port = port, path = path, jar = jar }.body)
			end

			local id = get(master, "/join?nick=early").id
			local since = get(master, "/send?text=before&id=" .. id).seq
			local waiting = t.http_connect{ port = master }
			waiting:send{ path = ("/recv?id=%s&since=%d"):format(id, since) }
			get(master, "/who") -- the answer is being held now

			local users = { {}, {}, {} } -- cookies: the third one is on the second clone
			for i, jar in ipairs(users) do
				local there = get(front, "/who", jar)
				assert.same({ nicks = { "early" }, vmid = (i + 1) // 2 }, there)
				local news = get(front, "/recv?since=0&id=" .. id, jar)
				table.remove(news.messages, 1) -- "opened"
				assert.same({ "early joined", "before" }, texts(news.messages))
				assert.equal(0, news.messages[2].vmid)
			end
			get(front, "/send?text=one&id=" .. id, users[1])
			get(front, "/send?text=two&id=" .. id, users[3])
			get(master, "/send?text=zero&id=" .. id)

			local path = ("/recv?id=%s&since=%d"):format(id, since)
			assert.same({ "one" }, texts(get(front, path, users[2]).messages))
			assert.same({ "two" }, texts(get(front, path, users[3]).messages))
			local answer = json.decode(waiting:body(waiting:head()))
			assert.same({ "zero" }, texts(answer.messages))
			assert.equal(0, answer.vmid)
			waiting:close()

			local ids = {}
			for i, jar in ipairs{ users[1], users[3] } do
				ids[i] = get(front, "/join?nick=late", jar).id
			end
			assert.not_equal(ids[1], ids[2])
			process:stop()
		end)
	end)
end)
