-- The switch between the VMs of one engine: who gets a frame, and what a guest may not
-- send.

local uv = require "luv"
local async = require "spec.support.async"
local engine_lan = require "gridcentric.engine_lan"

local sizes = engine_lan.sizes
local everybody = "\255\255\255\255\255\255"
local ip, arp, ipv6, other = "\8\0", "\8\6", "\x86\xdd", "\x88\xb5"

local function mac(vmid) return "\x52\x54\x67\x63" .. string.pack(">I2", vmid + 1) end
local function address(vmid) return "\10\77" .. string.pack(">I2", vmid + 1) end

local function frame(to, from, text, kind) return to .. from .. (kind or other) .. (text or "") end

-- An IPv4 header that says who it is from, and no more.
local function ip_header(from) return ("\0"):rep(12) .. from .. ("\0"):rep(4) end

-- A question for an address: who has it?
local function arp_packet(sender_mac, sender)
	return "\0\1\8\0\6\4\0\1" .. sender_mac .. sender .. ("\0"):rep(6) .. "\10\77\0\1"
end

local Card = {}
Card.__index = Card

function Card:send(...) assert(engine_lan.send(self.far_end, ...)) end
function Card:counters() return { self.lan.core:counters(self.id) } end
function Card:unplug() self.lan.core:unplug(self.id) end

-- The frames that have come since.
function Card:received()
	return function() return (engine_lan.receive(self.far_end)) end
end

function Card:all()
	local frames = {}
	for text in self:received() do frames[#frames + 1] = text end
	return frames
end

-- A switch; plug gives a VM's card, with a name if there is a vmid.
local function open(t)
	local lan = { core = engine_lan.new() }
	t.defer(function() lan.core:close() end)
	function lan.plug(vmid)
		local id, far_end = assert(lan.core:plug())
		t.defer(function() uv.fs_close(far_end) end)
		if vmid then assert(lan.core:name(id, vmid)) end
		return setmetatable({ lan = lan, id = id, far_end = far_end }, Card)
	end
	function lan.turn(n)
		for _ = 1, n or 1 do lan.core:turn() end
	end
	return lan
end

-- A body with a switch and the cards of vmid 0, 1 and 2.
local function with_three(body)
	return function()
		async.run(function(t)
			local lan = open(t)
			body(lan, lan.plug(0), lan.plug(1), lan.plug(2))
		end)
	end
end

-- All of these, sent by vmid 0, are dropped.
local function assert_dropped(lan, a, b, frames)
	for i, text in ipairs(frames) do
		a:send(text)
		lan.turn()
		assert.same({}, b:all(), "frame " .. i)
	end
	assert.same({ 0, #frames, 0 }, a:counters())
end

-- All of these, sent by vmid 0, arrive.
local function assert_passed(lan, a, b, frames)
	for _, text in ipairs(frames) do a:send(text) end
	lan.turn()
	assert.same(frames, b:all())
	assert.same({ #frames, 0, 0 }, a:counters())
end

describe("the switch", function()
	it("brings a frame to the one whose MAC it names", with_three(function(lan, a, b, c)
		local there, back = frame(mac(1), mac(0), "there"), frame(mac(0), mac(1), "back")
		a:send(there)
		b:send(back)
		lan.turn()
		assert.same({ { back }, { there }, {} }, { a:all(), b:all(), c:all() })
		assert.same({ { 1, 0, 0 }, { 1, 0, 0 }, { 0, 0, 0 } },
			{ a:counters(), b:counters(), c:counters() })
	end))

	it("brings broadcast and multicast to all others that have a name", function()
		async.run(function(t)
			local lan = open(t)
			local a, b, c, nameless = lan.plug(0), lan.plug(1), lan.plug(2), lan.plug()
			local one, two = frame(everybody, mac(0)), frame("\1\0\x5e\0\0\1", mac(0))
			a:send(one)
			a:send(two)
			lan.turn()
			assert.same({ {}, { one, two }, { one, two }, {} },
				{ a:all(), b:all(), c:all(), nameless:all() })
			assert.same({ 2, 0, 0 }, a:counters())
		end)
	end)

	it("keeps the order of frames, and their lengths", with_three(function(lan, a, b)
		local frames = {}
		for i = 1, 50 do frames[i] = frame(mac(1), mac(0), ("x"):rep(i * 30)) end
		assert_passed(lan, a, b, frames)
	end))

	it("brings a frame of the largest size, and the smallest", with_three(function(lan, a, b)
		local smallest = frame(mac(1), mac(0))
		assert.equal(sizes.min, #smallest)
		assert_passed(lan, a, b, { smallest .. ("x"):rep(sizes.max - sizes.min), smallest })
	end))

	it("drops frames for nobody, and for oneself", with_three(function(lan, a, b)
		assert_dropped(lan, a, b, {
			frame(mac(3), mac(0)), frame(mac(0), mac(0)), frame(mac(-1), mac(0)),
			frame(mac(sizes.last_vmid), mac(0)), frame(mac(sizes.last_vmid + 1), mac(0)),
			frame("\x52\x54\x67\x62\0\2", mac(0)), frame("\0\0\0\0\0\0", mac(0)),
		})
	end))

	it("drops frames that are too short or too long", with_three(function(lan, a, b)
		local whole = frame(mac(1), mac(0))
		local frames = { whole .. ("x"):rep(sizes.max - #whole + 1), whole .. ("x"):rep(100000) }
		for len = 0, #whole - 1 do frames[#frames + 1] = whole:sub(1, len) end
		assert_dropped(lan, a, b, frames)
	end))

	it("gives descriptors that no other program inherits, and that do not block", function()
		async.run(function(t)
			assert.same({ true, true }, { engine_lan.far_end(open(t).plug().far_end) })
		end)
	end)

	it("holds nothing when there are no descriptors", function()
		async.run(function(t)
			local lan = open(t)
			local parts = require("gridcentric.engine_parts").new(function() end)
			t.defer(function() parts:close() end)
			parts:limit_descriptors(true)
			local id, text = lan.core:plug()
			parts:limit_descriptors(false)
			assert.is_nil(id)
			assert.matches("^a port of the VMs' network: ", text)
			assert.equal(0, lan.plug().id)
		end)
	end)
end)

describe("a card's name", function()
	it("is its MAC and its address", function()
		assert.same({ "52:54:67:63:00:01", "10.77.0.1/16" }, { engine_lan.card(0) })
		assert.same({ "52:54:67:63:12:35", "10.77.18.53/16" }, { engine_lan.card(0x1234) })
		assert.same({ "52:54:67:63:ff:fe", "10.77.255.254/16" },
			{ engine_lan.card(sizes.last_vmid) })
	end)

	it("has to come before the first frame", function()
		async.run(function(t)
			local lan = open(t)
			local a, b = lan.plug(0), lan.plug()
			a:send(frame(mac(1), mac(0)))
			b:send(frame(mac(0), mac(1)))
			b:send(frame(mac(0), mac(-1)))
			lan.turn()
			assert.same({ {}, {} }, { a:all(), b:all() })
			assert.same({ { 0, 1, 0 }, { 0, 2, 0 } }, { a:counters(), b:counters() })
			assert(lan.core:name(b.id, 1))
			local text = frame(mac(0), mac(1))
			b:send(text)
			lan.turn()
			assert.same({ text }, a:all())
			assert.same({ 1, 2, 0 }, b:counters())
		end)
	end)

	it("is one of a kind, and bounded", function()
		async.run(function(t)
			local lan = open(t)
			local a, b = lan.plug(0), lan.plug()
			assert.same({ nil, "File exists", "EEXIST" }, { lan.core:name(b.id, 0) })
			assert.equal("ERANGE", (select(3, lan.core:name(b.id, -1))))
			assert.equal("ERANGE", (select(3, lan.core:name(b.id, sizes.last_vmid + 1))))
			assert.is_true(lan.core:name(a.id, 0))
			assert.is_true(lan.core:name(b.id, sizes.last_vmid))
			assert_passed(lan, a, b, { frame(mac(sizes.last_vmid), mac(0)) })
		end)
	end)

	it("is free again when the card has another, or is unplugged", function()
		async.run(function(t)
			local lan = open(t)
			local a, b = lan.plug(0), lan.plug(1)
			assert(lan.core:name(a.id, 5))
			assert(lan.core:name(b.id, 0))
			b:unplug()
			assert(lan.core:name(a.id, 0))
			assert_passed(lan, a, lan.plug(1), { frame(mac(1), mac(0)) })
		end)
	end)
end)

describe("a guest that is not to be trusted", function()
	it("cannot send as another", with_three(function(lan, a, b)
		assert_dropped(lan, a, b, {
			frame(mac(1), mac(2)), frame(mac(1), mac(1)), frame(everybody, mac(2)),
			frame(mac(1), mac(-1)), frame(mac(1), everybody), frame(mac(1), "\0\0\0\0\0\0"),
			frame(mac(1), "\x52\x54\x67\x62\0\1"), frame(mac(1), "\x53\x54\x67\x63\0\1"),
		})
	end))

	it("cannot send IPv4 from another's address", with_three(function(lan, a, b)
		assert_dropped(lan, a, b, {
			frame(mac(1), mac(0), ip_header(address(2)), ip),
			frame(mac(1), mac(0), ip_header "\10\78\0\1", ip),
			frame(mac(1), mac(0), ip_header "\0\0\0\0", ip),
			frame(mac(1), mac(0), ip_header(address(0)):sub(1, -2), ip),
			frame(mac(1), mac(0), "", ip),
		})
	end))

	it("cannot say by ARP that it has another's address or MAC", with_three(function(lan, a, b)
		local own = arp_packet(mac(0), address(0))
		assert_dropped(lan, a, b, {
			frame(everybody, mac(0), arp_packet(mac(0), address(2)), arp),
			frame(everybody, mac(0), arp_packet(mac(2), address(0)), arp),
			frame(everybody, mac(0), own:sub(1, -2), arp),
			frame(everybody, mac(0), "\0\6" .. own:sub(3), arp),
			frame(everybody, mac(0), own:sub(1, 5) .. "\16" .. own:sub(7), arp),
		})
	end))

	it("cannot hide an address behind a VLAN tag", with_three(function(lan, a, b)
		local hidden = "\0\0" .. ip .. ip_header(address(2))
		assert_dropped(lan, a, b, {
			frame(mac(1), mac(0), hidden, "\x81\0"), frame(mac(1), mac(0), hidden, "\x88\xa8"),
		})
	end))

	it("can send as itself", with_three(function(lan, a, b)
		assert_passed(lan, a, b, {
			frame(mac(1), mac(0), ip_header(address(0)), ip),
			frame(everybody, mac(0), arp_packet(mac(0), address(0)), arp),
			frame(everybody, mac(0), arp_packet(mac(0), "\0\0\0\0"), arp),
			frame(mac(1), mac(0), ip_header(address(0)), ipv6),
		})
	end))

	it("has a bounded number of its frames taken in a turn, beside the others'",
		with_three(function(lan, a, b, c)
			local flood, one = frame(mac(2), mac(0), "flood"), frame(mac(2), mac(1), "one")
			for _ = 1, 100 do a:send(flood) end
			b:send(one)
			lan.turn()
			assert.equal(sizes.at_once + 1, #c:all())
			assert.same({ sizes.at_once, 0, 0 }, a:counters())
			assert.same({ 1, 0, 0 }, b:counters())
			lan.turn()
			assert.equal(100 - sizes.at_once, #c:all())
		end))

	it("is held up by its own socket alone", with_three(function(lan, a, b, c)
		local flood, sent = frame(mac(2), mac(0), ("x"):rep(1500)), 0
		while engine_lan.send(a.far_end, flood) do sent = sent + 1 end
		assert.equal("EAGAIN", (select(3, engine_lan.send(a.far_end, flood))))
		b:send(frame(mac(2), mac(1)))
		lan.turn(2)
		assert.same({ 1, 0, 0 }, b:counters())
		lan.turn(sent)
		local forwarded, _, lost = a:counters()[1], nil, c:counters()[3]
		assert.equal(sent, forwarded)
		assert.equal(sent + 1, #c:all() + lost)
	end))
end)

describe("a receiver", function()
	it("that is full loses frames, and holds up nobody", with_three(function(lan, a, b, c)
		local text, sent = frame(mac(1), mac(0), ("x"):rep(1500)), 0
		while b:counters()[3] < 10 do
			a:send(text)
			sent = sent + 1
			lan.turn()
		end
		a:send(frame(mac(2), mac(0)))
		lan.turn()
		assert.equal(1, #c:all())
		assert.same({ sent + 1, 0, 0 }, a:counters())
		assert.equal(sent - 10, #b:all())
		a:send(text)
		lan.turn()
		assert.same({ text }, b:all())
	end))

	it("that has ended holds up nobody", function()
		async.run(function(t)
			local lan = open(t)
			local a, c = lan.plug(0), lan.plug(2)
			local id, far_end = lan.core:plug()
			lan.core:name(id, 1)
			a:send(frame(mac(1), mac(0)))
			lan.turn()
			uv.fs_close(far_end)
			for _ = 1, 3 do
				a:send(frame(everybody, mac(0)))
				lan.turn()
			end
			assert.equal(3, #c:all())
			assert.equal(3, (select(3, lan.core:counters(id))))
			assert.equal(0, lan.core:turn()) -- nothing goes on being told
		end)
	end)
end)

describe("a card that is unplugged", function()
	it("takes along the frames that wait in it", with_three(function(lan, a, b, c)
		a:send(frame(mac(1), mac(0)))
		c:send(frame(mac(0), mac(2)))
		a:unplug()
		lan.turn()
		assert.same({ {}, {} }, { a:all(), b:all() })
		assert.same({ 0, 1, 0 }, c:counters())
	end))

	it("leaves the others connected", with_three(function(lan, a, b, c)
		local text = frame(everybody, mac(0))
		b:unplug()
		a:send(text)
		lan.turn()
		assert.same({ text }, c:all())
		c:unplug()
		a:send(text)
		lan.turn()
		assert.same({ 1, 1, 0 }, a:counters())
	end))

	it("may be one of many with frames in the same turn", function()
		async.run(function(t)
			local lan, cards = open(t), {}
			for vmid = 0, 49 do cards[vmid] = lan.plug(vmid) end
			for vmid = 0, 49 do cards[vmid]:send(frame(everybody, mac(vmid))) end
			for vmid = 0, 49, 2 do cards[vmid]:unplug() end
			lan.turn()
			for vmid = 1, 49, 2 do assert.equal(24, #cards[vmid]:all()) end
		end)
	end)
end)
