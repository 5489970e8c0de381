local sessions = require "gridcentric.controller.sessions"

describe("sessions", function()
	local all, ended

	before_each(function()
		ended = {}
		all = sessions.new {
			timeout = 60,
			cookieless_timeout = 10,
			on_count = function(session, n)
				if n < 0 then ended[#ended + 1] = session.key or "no key" end
			end,
		}
	end)

	it("count while they have a connection", function()
		local session = all:begin("a", false)
		all:expire(1e9)
		assert.equal(1, all.count)
		assert.equal(session, all:find "a")
		assert.is_nil(all:find "b")
		assert.is_nil(all:find(nil))
	end)

	it("count for the timeout after the last connection closed", function()
		local session = all:begin("a", true)
		all:join(session)
		all:leave(session, 100)
		all:expire(1000)
		assert.equal(1, all.count)
		all:leave(session, 1000)
		all:expire(1059.9)
		assert.equal(1, all.count)
		all:expire(1060)
		assert.equal(0, all.count)
		assert.is_nil(all:find "a")
		assert.same({ "a" }, ended)
	end)

	it("count for a shorter time if their cookie never came back", function()
		all:leave(all:begin("a", false), 100)
		all:leave(all:begin("b", true), 100)
		all:expire(110)
		assert.same({ "a" }, ended)
		all:expire(160)
		assert.same({ "a", "b" }, ended)
	end)

	it("go on when somebody comes back in time", function()
		local session = all:begin("a", false)
		all:leave(session, 100)
		all:recognise(session)
		all:join(session)
		all:expire(1e6)
		assert.equal(1, all.count)
		all:leave(session, 1e6)
		all:expire(1e6 + 59)
		assert.equal(1, all.count)
		all:expire(1e6 + 60)
		assert.equal(0, all.count)
	end)

	it("end with their connection if they have no key", function()
		all:leave(all:begin(nil, false), 5)
		assert.equal(0, all.count)
		assert.same({ "no key" }, ended)
	end)

	it("end when they are to be forgotten, unless they have a connection", function()
		local known, cookieless, open = all:begin("a", true), all:begin("b", false), all:begin("c", true)
		all:leave(known, 100)
		all:leave(cookieless, 100)
		for _ = 1, 2 do
			for _, session in ipairs { known, cookieless, open } do all:forget(session) end
		end
		assert.same({ "a", "b" }, ended)
		assert.equal(1, all.count)
		assert.is_nil(all:find "a")
		all:expire(1e9)
		assert.same({ "a", "b" }, ended)
	end)

	it("end in the order in which they were left", function()
		local list = {}
		for i = 1, 5 do list[i] = all:begin(tostring(i), true) end
		for i, at in ipairs { 3, 1, 5, 2, 4 } do all:leave(list[at], i) end
		all:join(list[5])
		all:leave(list[5], 6)
		all:expire(100)
		assert.same({ "3", "1", "2", "4", "5" }, ended)
	end)

	it("end by another timeout from then on, also those that were left before", function()
		all:leave(all:begin("a", true), 0)
		all.timeout = 10
		all:leave(all:begin("b", true), 1)
		all:expire(10)
		assert.same({ "a" }, ended)
		all:expire(11)
		assert.same({ "a", "b" }, ended)
	end)

	describe("that are given up", function()
		it("count no longer, until the cookie comes back", function()
			local first = all:begin("a", false)
			all:leave(first, 100)
			all:give_up(first)
			assert.same({ 0, 1 }, { all.count, all.total })
			all:expire(159)
			assert.equal(first, all:find "a")
			all:recognise(first)
			all:join(first)
			assert.same({ 1, 1 }, { all.count, all.total })
			all:leave(first, 200)
			all:expire(259)
			assert.equal(1, all.count)
			all:expire(260)
			assert.same({ 0, 0 }, { all.count, all.total })
		end)

		it("are remembered for the timeout of those who are known", function()
			local session = all:begin("a", false)
			all:leave(session, 100)
			all:give_up(session)
			all:expire(159.9)
			assert.equal(1, all.total)
			all:expire(160)
			assert.equal(0, all.total)
		end)

		it("are none that are known, or have another connection", function()
			local known, busy = all:begin("a", true), all:begin("b", false)
			all:join(busy)
			for _, session in ipairs { known, busy } do
				all:leave(session, 100)
				all:give_up(session)
			end
			assert.equal(2, all.count)
		end)

		it("make room for others, the oldest first", function()
			for _, key in ipairs { "a", "b", "c" } do
				local session = all:begin(key, false)
				all:leave(session, 100)
				if key ~= "a" then all:give_up(session) end
			end
			assert.is_true(all:make_room(3))
			assert.is_nil(all:find "b")
			assert.is_true(all:make_room(3))
			assert.is_true(all:make_room(2))
			assert.is_nil(all:find "c")
			assert.is_true(all:make_room(1))
			assert.is_nil(all:find "a")
			all:begin("d", false)
			assert.is_false(all:make_room(1))
		end)
	end)

	it("count only when their cookie has come back, if they are to be confirmed", function()
		all.confirm = true
		local user, other = all:begin("a", false), all:begin("b", false)
		assert.same({ 0, 2 }, { all.count, all.total })
		all:recognise(user)
		all:recognise(user)
		assert.equal(1, all.count)
		all:leave(user, 100)
		all:leave(other, 100)
		all:expire(159)
		assert.equal(1, all.count)
		all:expire(160)
		assert.same({ 0, 0 }, { all.count, all.total })
		assert.same({ "a" }, ended)
		all:begin("192.0.2.1", true)
		all:begin(nil, false)
		assert.equal(2, all.count)
	end)

	it("cost nothing to look at while none has ended", function()
		for i = 1, 1000 do all:leave(all:begin(tostring(i), true), i) end
		local looked = 0
		debug.sethook(function() looked = looked + 1 end, "l")
		all:expire(60)
		debug.sethook()
		assert.is_true(looked < 50)
	end)
end)
