-- The client of QEMU's machine protocol, whose other end is played here: what it sends
-- and when, and what it makes of answers, events, silence and nonsense.

local json = require "dkjson"
local uv = require "luv"
local async = require "spec.support.async"
local engine_qmp = require "gridcentric.engine_qmp"
local procfs = require "spec.support.procfs"

local greeting = '{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}\r\n'
local fine = '{"return": {}}\r\n'

local Peer = {}
Peer.__index = Peer

-- Says it, and lets the client have it.
function Peer:say(...)
	engine_qmp.send(self.far_end, table.concat{ ... })
	self.client:turn()
end

-- All that the client has sent since, one command after another, as tables; and the
-- first one's descriptor.
function Peer:heard()
	local commands, text, fd = {}, "", nil
	repeat
		self.client:turn()
		local piece, with = engine_qmp.receive(self.far_end)
		text, fd = text .. (piece or ""), fd or with
	until not piece or piece == ""
	while text:find("%S") do
		local command, after = json.decode(text)
		assert(command, text)
		commands[#commands + 1] = command
		text = text:sub(after)
	end
	return commands, fd
end

-- Asserts that one command was sent, and gives its descriptor.
function Peer:hears(command, arguments)
	local commands, fd = self:heard()
	assert.same({ { execute = command, arguments = arguments } }, commands)
	return fd
end

function Peer:greet()
	self:say(greeting)
	self:hears "qmp_capabilities"
	self:say(fine)
end

function Peer:hang_up()
	uv.fs_close(self.far_end)
	self.far_end = nil
	self.client:turn()
end

-- What it was told, in order; `on` has functions by its kind, to be called then.
local function open(t)
	local peer = setmetatable({ t = t, told = {}, on = {} }, Peer)
	peer.client, peer.far_end = engine_qmp.open(function(what, ...)
		peer.told[#peer.told + 1] = { what, ... }
		if peer.on[what] then peer.on[what](...) end
	end)
	t.defer(function()
		peer.client:free()
		if peer.far_end then uv.fs_close(peer.far_end) end
	end)
	return peer
end

-- A body that is given a peer, which has greeted already.
local function greeted(body)
	return function()
		async.run(function(t)
			local peer = open(t)
			peer:greet()
			assert.same({}, peer.told)
			body(peer, t)
		end)
	end
end

local function assert_closed(peer)
	repeat until assert(engine_qmp.receive(peer.far_end), "still open") == ""
end

-- Asserts that the client gave up, said why, and closed its end.
local function assert_lost(peer, text, code)
	assert.same({ { "lost", text, code } }, peer.told)
	if peer.far_end then assert_closed(peer) end
	peer.client:turn()
	assert.equal(1, #peer.told)
end

describe("the greeting", function()
	it("comes first; then the client asks for its capabilities, and says no more", function()
		async.run(function(t)
			local peer = open(t)
			assert.same({}, (peer:heard()))
			peer.client:call "stop"
			assert.same({}, (peer:heard()))
			peer:say(greeting)
			peer:hears "qmp_capabilities"
			assert.same({}, (peer:heard()))
			peer:say(fine)
			peer:hears "stop"
		end)
	end)

	it("that is none loses the client", function()
		for _, line in ipairs{ fine, "[]\n", '{"event": "STOP"}\n', "{}\n" } do
			async.run(function(t)
				local peer = open(t)
				peer:say(line)
				assert_lost(peer, "QMP: no greeting: Protocol error", "EPROTO")
			end)
		end
	end)

	it("whose capabilities are refused loses the client", function()
		async.run(function(t)
			local peer = open(t)
			peer:say(greeting)
			peer:say '{"error": {"class": "GenericError", "desc": "not today"}}\n'
			assert_lost(peer, "QMP: qmp_capabilities: not today: the virtual machine failed", "GC_EVM")
		end)
	end)
end)

describe("a command", function()
	it("is sent with its arguments, and answered with what it returned", greeted(function(peer)
		local id = peer.client:call("set_link", '{"name": "card0", "up": false}')
		peer:hears("set_link", { name = "card0", up = false })
		peer:say '{"return": {"b": [1, 2], "a": "x"}, "id": 7}\r\n'
		assert.same({ { "answer", id, '{"a": "x", "b": [1, 2]}' } }, peer.told)
	end))

	it("waits until the one before it was answered", greeted(function(peer)
		local ids = {}
		for i = 1, 3 do ids[i] = peer.client:call("c" .. i) end
		for i = 1, 3 do
			peer:hears("c" .. i)
			assert.same({}, (peer:heard()))
			peer:say(fine)
			assert.equal(i, #peer.told)
			assert.same({ "answer", ids[i], "{}" }, peer.told[i])
		end
		assert.same({}, (peer:heard()))
	end))

	it("that is called for in an answer comes behind those that wait", greeted(function(peer)
		peer.client:call "first"
		peer.client:call "second"
		peer.on.answer = function()
			peer.on.answer = nil
			peer.client:call "third"
		end
		peer:hears "first"
		peer:say(fine)
		peer:hears "second"
		peer:say(fine)
		peer:hears "third"
	end))

	it("that fails is told in QEMU's words", greeted(function(peer)
		local id = peer.client:call "device_add"
		local next_id = peer.client:call "cont"
		peer:say '{"error": {"class": "GenericError", "desc": "no such bus"}}\r\n'
		peer:say '{"error": {"class": "GenericError"}}\r\n'
		assert.same({ { "answer", id, nil, "device_add: no such bus", "GC_EVM" },
			{ "answer", next_id, nil, "cont: failed", "GC_EVM" } }, peer.told)
	end))

	it("that fails loses the client when nobody is answered", greeted(function(peer)
		peer.client:tell "cont"
		peer.client:call "stop"
		peer:say '{"error": {"desc": "no"}}\n'
		assert_lost(peer, "QMP: cont: no: the virtual machine failed", "GC_EVM")
	end))

	it("needs nobody who is answered", greeted(function(peer)
		peer.client:tell "cont"
		peer.client:call "stop"
		peer:hears "cont"
		peer:say(fine)
		peer:hears "stop"
		assert.same({}, peer.told)
	end))

	it("may be longer than what the socket takes", greeted(function(peer)
		local text = ("x"):rep(1000000)
		peer.client:call("long", json.encode{ text = text })
		peer.client:call "short"
		peer:hears("long", { text = text })
		peer:say(fine)
		peer:hears "short"
	end))

	it("whose arguments cannot be written loses the client", greeted(function(peer)
		local here = uv.fs_open("/dev/null", "r", 0)
		peer.client:call "stop"
		peer.client:call_wrong(here)
		peer.client:turn()
		assert.is_nil(procfs.descriptors("self")[here])
		assert_lost(peer, "QMP: QEMU: Connection reset by peer", "ECONNRESET")
	end))
end)

describe("a descriptor", function()
	-- Descriptors of /dev/zero here.
	local function count()
		local n = 0
		for _, target in pairs(procfs.descriptors("self")) do
			if target == "/dev/zero" then n = n + 1 end
		end
		return n
	end

	it("comes with its command, and is closed here", greeted(function(peer)
		peer.client:call "first"
		peer.client:call("getfd", '{"fdname": "state"}', assert(uv.fs_open("/dev/zero", "r", 0)))
		peer.client:call "last"
		assert.is_nil(peer:hears "first")
		assert.equal(1, count())
		peer:say(fine)
		local fd = peer:hears("getfd", { fdname = "state" })
		assert.equal("/dev/zero", procfs.descriptors("self")[fd])
		uv.fs_close(fd)
		assert.equal(0, count())
		peer:say(fine)
		assert.is_nil(peer:hears "last")
	end))

	it("comes once, with a command that goes in pieces", greeted(function(peer)
		local arguments = { text = ("x"):rep(1000000) }
		peer.client:call("getfd", json.encode(arguments), assert(uv.fs_open("/dev/zero", "r", 0)))
		uv.fs_close(peer:hears("getfd", arguments))
		assert.equal(0, count())
	end))

	it("is closed when its command is never sent", greeted(function(peer)
		peer.client:call "first"
		peer.client:call("getfd", nil, assert(uv.fs_open("/dev/zero", "r", 0)))
		peer.client:close()
		assert.equal(0, count())
		peer.client:call("getfd", nil, assert(uv.fs_open("/dev/zero", "r", 0)))
		peer.client:close()
		assert.equal(0, count())
	end))
end)

describe("an answer", function()
	it("may come in pieces", greeted(function(peer)
		local id = peer.client:call "query-status"
		local text = '{"return": {"status": "running"}}\r\n'
		for i = 1, #text - 1 do
			peer:say(text:sub(i, i))
			assert.same({}, peer.told)
		end
		peer:say "\n"
		assert.same({ { "answer", id, '{"status": "running"}' } }, peer.told)
	end))

	it("may be as long as the limit", greeted(function(peer)
		local id = peer.client:call "long"
		local text = ('{"return": "%s"}\n'):format(("x"):rep(engine_qmp.max_line - 15))
		for at = 1, #text, 1000 do peer:say(text:sub(at, at + 999)) end
		assert.equal(1, #peer.told)
		assert.equal(id, peer.told[1][2])
		assert.equal(engine_qmp.max_line - 13, #peer.told[1][3])
	end))

	it("may come with events, before it and behind it", greeted(function(peer)
		local id = peer.client:call "stop"
		peer:say('{"event": "STOP", "data": {"a": 1}, "timestamp": {"seconds": 1}}\r\n', fine,
			'{"event": "RESUME"}\n', '{"event": 5}\n')
		assert.same({ { "event", "STOP", '{"a": 1}' }, { "answer", id, "{}" }, { "event", "RESUME" } },
			peer.told)
	end))

	it("to what was not asked loses the client", greeted(function(peer)
		peer:say(fine)
		assert_lost(peer, "QMP: an answer without a command: Protocol error", "EPROTO")
	end))

	it("that comes twice loses the client, which is told so once", greeted(function(peer)
		peer.client:call "stop"
		peer:heard()
		engine_qmp.send(peer.far_end, fine .. fine .. fine .. "garbage\n" .. fine)
		peer.client:turn()
		assert.same({ "answer", 1, "{}" }, table.remove(peer.told, 1))
		assert_lost(peer, "QMP: an answer without a command: Protocol error", "EPROTO")
	end))

	it("that is none loses the client", function()
		for _, line in ipairs{ "{}\n", "[1]\n", '{"id": 5}\n' } do
			greeted(function(peer)
				peer.client:call "stop"
				peer:heard()
				peer:say(line, line)
				assert_lost(peer, "QMP: neither answer nor event: Protocol error", "EPROTO")
			end)()
		end
	end)

	it("that is garbage loses the client", function()
		for _, line in ipairs{ "garbage\n", "\n", '{"return": \n', "\0\0\0\n", "7\n",
			'{"return": {}} {"return": {}}\n', ("["):rep(5000) .. "\n" } do
			greeted(function(peer)
				peer.client:call "stop"
				peer:heard()
				peer:say(line, fine)
				peer.client:turn()
				assert_lost(peer, "QMP: not JSON: Protocol error", "EPROTO")
			end)()
		end
	end)

	it("that never ends loses the client", greeted(function(peer)
		peer.client:call "stop"
		for _ = 0, engine_qmp.max_line // 4096 do
			if #peer.told > 0 then break end
			peer:say(("x"):rep(4096))
		end
		peer.client:turn()
		assert_lost(peer, "QMP: an endless line: Protocol error", "EPROTO")
	end))
end)

describe("the end of the peer", function()
	it("loses the client", greeted(function(peer)
		peer:hang_up()
		assert_lost(peer, "QMP: QEMU: Connection reset by peer", "ECONNRESET")
	end))

	it("loses the client before the greeting", function()
		async.run(function(t)
			local peer = open(t)
			peer:hang_up()
			assert_lost(peer, "QMP: QEMU: Connection reset by peer", "ECONNRESET")
		end)
	end)

	it("answers no command any more, sent or not", greeted(function(peer)
		peer.client:call "stop"
		peer.client:call("getfd", nil, assert(uv.fs_open("/dev/zero", "r", 0)))
		peer:hang_up()
		peer.client:turn()
		peer.client:call "cont"
		peer.client:turn()
		assert_lost(peer, "QMP: QEMU: Connection reset by peer", "ECONNRESET")
	end))

	it("comes after its last answer", greeted(function(peer)
		local id = peer.client:call "quit"
		peer:heard()
		engine_qmp.send(peer.far_end, fine .. '{"event": "SHUTDOWN"}\r\n')
		peer:hang_up()
		peer.client:turn()
		assert.same({ { "answer", id, "{}" }, { "event", "SHUTDOWN" },
			{ "lost", "QMP: QEMU: Connection reset by peer", "ECONNRESET" } }, peer.told)
	end))
end)

describe("silence", function()
	-- From here on a command has less time, so that nobody needs to wait for its end.
	local function hurry(t)
		uv.os_setenv("GRIDCENTRIC_QMP_TIMEOUT", "0.02")
		t.defer(function() uv.os_unsetenv "GRIDCENTRIC_QMP_TIMEOUT" end)
	end

	local function wait_for_the_end(peer)
		peer.t.wait_until(function()
			peer.client:turn()
			return #peer.told > 0
		end, nil, "the limit")
	end

	it("loses the client while no greeting comes", function()
		async.run(function(t)
			hurry(t)
			local peer = open(t)
			wait_for_the_end(peer)
			assert_lost(peer, "QMP: qmp_capabilities: Connection timed out", "ETIMEDOUT")
		end)
	end)

	it("loses the client while no answer comes, and names the command", greeted(function(peer, t)
		hurry(t)
		peer.client:call "stop"
		peer.client:call "cont"
		wait_for_the_end(peer)
		assert_lost(peer, "QMP: stop: Connection timed out", "ETIMEDOUT")
	end))

	it("is not broken by events", greeted(function(peer, t)
		hurry(t)
		peer.client:call "stop"
		peer.on.event = function() table.remove(peer.told) end
		peer.t.wait_until(function()
			if #peer.told == 0 then engine_qmp.send(peer.far_end, '{"event": "STILL_THERE"}\n') end
			peer.client:turn()
			return #peer.told > 0
		end, nil, "the limit")
		assert_lost(peer, "QMP: stop: Connection timed out", "ETIMEDOUT")
	end))

	it("is nothing where no command waits", greeted(function(peer)
		peer.client:call "stop"
		peer:say(fine)
		assert.equal(1, #peer.told)
		assert.equal(0, peer.client:turn())
	end))
end)

describe("closing", function()
	local function closes_in(what, text)
		return greeted(function(peer)
			peer.on[what] = function() peer.client:close() end
			peer.client:call "first"
			peer.client:call "second"
			peer:heard()
			engine_qmp.send(peer.far_end, text)
			for _ = 1, 3 do peer.client:turn() end
			assert.equal(1, #peer.told)
			assert.equal(what, peer.told[1][1])
			peer.client:close()
			assert_closed(peer)
		end)
	end

	it("is possible in an answer", closes_in("answer", fine .. fine .. '{"event": "STOP"}\n'))
	it("is possible in an answer that is an error",
		closes_in("answer", '{"error": {"desc": "no"}}\n' .. fine))
	it("is possible in an event", closes_in("event", '{"event": "STOP"}\n' .. fine .. fine))
	it("is possible when it is lost", closes_in("lost", "garbage\n" .. fine))

	it("tells nobody", greeted(function(peer)
		peer.client:call "stop"
		peer.client:close()
		peer.client:close()
		peer.client:turn()
		assert.same({}, peer.told)
	end))
end)
