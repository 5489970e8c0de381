-- One end of a channel, whose other end is played here: sending that is held, reading
-- that is paused, and another socket in the middle of it.

local uv = require "luv"
local async = require "spec.support.async"
local procfs = require "spec.support.procfs"
local spec_channel = require "gridcentric.spec_channel"
local wire = require "gridcentric.spec_wire"

local max_unsent = 4 * 1024 * 1024 -- CHANNEL_MAX_UNSENT

local function frame(text) return assert(wire.encode("REPORT", text)) end

local End = {}
End.__index = End

-- Writes messages and sends them.
function End:write(...)
	for _, text in ipairs{ ... } do self.channel:put(text) end
	self.channel:send()
end

function End:turn(n)
	for _ = 1, n or 1 do self.channel:turn() end
end

-- Says bytes from the other side, and lets the channel have them.
function End:say(bytes)
	spec_channel.send(self.far_end, bytes)
	self:turn()
end

-- What has come at the other side since: whole messages, the rest of the bytes, the
-- first descriptor.
function End:heard()
	local texts, bytes, fd = {}, "", nil
	repeat
		self:turn()
		local piece, with = spec_channel.receive(self.far_end)
		bytes, fd = bytes .. (piece or ""), fd or with
	until not piece or piece == ""
	local len, _, _, fields = wire.decode(bytes)
	while len and len > 0 do
		texts[#texts + 1], bytes = fields[1], bytes:sub(len + 1)
		len, _, _, fields = wire.decode(bytes)
	end
	return texts, bytes, fd
end

function End:is_closed() return spec_channel.receive(self.far_end) == "" end

-- What it was told, in order; on(what, ...) is called then.
local function with_end(body)
	return function()
		async.run(function(t)
			local e = setmetatable({ told = {}, on = function() end }, End)
			e.channel, e.far_end = spec_channel.open(function(what, ...)
				e.told[#e.told + 1] = { what, ... }
				e.on(what, ...)
			end)
			e.fds = { e.far_end }
			t.defer(function()
				e.channel:free()
				for _, fd in ipairs(e.fds) do uv.fs_close(fd) end
			end)
			body(e, t)
		end)
	end
end

-- Descriptors of /dev/zero here.
local function zeroes()
	local n = 0
	for _, target in pairs(procfs.descriptors("self")) do
		if target == "/dev/zero" then n = n + 1 end
	end
	return n
end

local function open_zero() return assert(uv.fs_open("/dev/zero", "r", 0)) end

describe("a channel that is held", function()
	it("sends nothing, and all in its order afterwards", with_end(function(e)
		e:write "before"
		e.channel:hold(true)
		e:write("one", "two")
		e:write "three"
		assert.same({ "before" }, (e:heard()))
		assert.equal(#frame "one" * 2 + #frame "three", e.channel:unsent())
		e.channel:hold(false)
		assert.same({ "one", "two", "three" }, (e:heard()))
		assert.equal(0, e.channel:unsent())
	end))

	it("keeps the descriptors with their messages", with_end(function(e)
		e.channel:hold(true)
		e.channel:put("first", open_zero())
		e:write "second"
		assert.same({}, (e:heard()))
		assert.equal(1, zeroes())
		e.channel:hold(false)
		local texts, _, fd = e:heard()
		assert.same({ "first", "second" }, texts)
		assert.equal("/dev/zero", procfs.descriptors("self")[fd])
		uv.fs_close(fd)
		assert.equal(0, zeroes())
	end))

	it("receives as ever", with_end(function(e)
		e.channel:hold(true)
		e:say(frame "hello")
		assert.same({ { "message", "hello", 0 } }, e.told)
	end))

	it("does not wake up for what it does not send", with_end(function(e)
		e:turn()
		e.channel:hold(true)
		e:write "waits"
		assert.equal(0, e.channel:turn())
	end))

	it("can be held in the middle of a message", with_end(function(e)
		local text = ("x"):rep(900000)
		e:write(text)
		e.channel:hold(true)
		local left = e.channel:unsent()
		assert.is_true(left > 0)
		local _, bytes = e:heard()
		assert.equal(#frame(text) - left, #bytes)
		e.channel:hold(false)
		local _, rest = e:heard()
		assert.equal(frame(text), bytes .. rest)
	end))

	it("is cut when too much waits", with_end(function(e)
		e.channel:hold(true)
		local text = ("x"):rep(1000000)
		while e.channel:unsent() + #text < max_unsent do e:write(text) end
		e:turn()
		assert.same({}, e.told)
		e:write(text)
		e:turn()
		assert.same({ { "ended", "ENOBUFS" } }, e.told)
		assert.is_true(e:is_closed())
	end))

	it("can end while it is held, and closes what it has", with_end(function(e)
		e.channel:hold(true)
		e.channel:put("never", open_zero())
		e.channel:send()
		e.channel:close()
		e.channel:hold(false)
		assert.equal(0, zeroes())
		assert.is_true(e:is_closed())
	end))
end)

describe("a channel that is paused", function()
	it("reads nothing, and all in its order afterwards", with_end(function(e)
		e.channel:pause(true)
		e:say(frame "one" .. frame "two")
		e:turn(3)
		assert.same({}, e.told)
		e.channel:pause(false)
		e:turn()
		assert.same({ { "message", "one", 0 }, { "message", "two", 0 } }, e.told)
	end))

	it("by a message handles those behind it afterwards", with_end(function(e)
		e.on = function(_, text) if text == "two" then e.channel:pause(true) end end
		e:say(frame "one" .. frame "two" .. frame "three" .. frame "four")
		e:turn(3)
		assert.equal(2, #e.told)
		e.channel:pause(false)
		assert.equal(4, #e.told)
		assert.same({ "message", "four", 0 }, e.told[4])
	end))

	it("sends as ever", with_end(function(e)
		e.channel:pause(true)
		e:write "hello"
		assert.same({ "hello" }, (e:heard()))
	end))

	it("does not spin when the peer has gone, and tells so afterwards", with_end(function(e)
		e.channel:pause(true)
		uv.fs_close(table.remove(e.fds))
		e:turn()
		assert.equal(0, e.channel:turn())
		assert.same({}, e.told)
		e.channel:pause(false)
		e:turn()
		assert.same({ { "ended" } }, e.told)
	end))

	it("tells of garbage afterwards, once", with_end(function(e)
		e.on = function(_, text) if text == "one" then e.channel:pause(true) end end
		e:say(frame "one" .. ("\255"):rep(100))
		assert.equal(1, #e.told)
		e.channel:pause(false)
		e:turn()
		assert.same({ { "message", "one", 0 }, { "ended", "EPROTO" } }, e.told)
	end))
end)
