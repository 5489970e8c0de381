-- limit: 600 s
-- The chat demo on virtual machines: its policy differs from that of processes in what is cloned.

local gcscale = require "spec.support.gcscale"
local json = require "dkjson"
local paths = require "spec.support.paths"
local procfs = require "spec.support.procfs"
local vm = require "spec.support.vm"
local webdriver = require "spec.support.webdriver"

if vm.missing then
	return it("virtual machines", function() pending(vm.missing) end)
end

-- examples/chat/policy.lua, with a machine for the program, and users that are soon forgotten.
local function policy(image)
	local file <close> = assert(io.open(paths.examples .. "/chat/policy.lua"))
	local text, n = file:read "a":gsub("\tapp = %b{},", ([[
		backend = "qemu", session_timeout = 2, cookieless_timeout = 2,
		app = { image = %q, port = 8001, memory = "128M", accel = "tcg" },
	]]):format(image))
	assert(n == 1)
	return text
end

local function start(t)
	local image = vm.image(t, "chat", { app = paths.examples .. "/chat" })
	local file, folder = gcscale.policy_file(t, policy(image))
	local p = t.spawn { paths.gcscale, file, "--listen", "127.0.0.1:0" }
	local port = p:line("listens on http://127.0.0.1:(%d+)")
	return vm.of(t, p, folder:match "[^/]*$"), tonumber(port)
end

-- A user of the chat, who comes by the proxy and is known by a cookie.
local User = {}
User.__index = User

function User:ask(path, query)
	local answer = assert(self.t.http {
		port = self.port, path = path .. "?" .. query, jar = self.jar,
	})
	assert.equal(200, answer.status, answer.body)
	return json.decode(answer.body)
end

local function join(t, port, nick)
	local user = setmetatable({ t = t, port = port, jar = {}, nick = nick }, User)
	local seat = user:ask("/join", "nick=" .. nick)
	user.id, user.vmid = seat.id, seat.vmid
	return user
end

-- What was said in the user's room, so far.
function User:heard()
	local texts = {}
	for _, message in ipairs(self:ask("/recv", ("id=%s&since=0"):format(self.id)).messages) do
		if message.text then texts[#texts + 1] = message.nick .. ": " .. message.text end
	end
	return texts
end

-- Stays connected, as a page does: it waits for what comes next.
function User:stay()
	local next_ = self:ask("/recv", ("id=%s&since=0"):format(self.id)).next
	self.connection = assert(self.t.http_connect { port = self.port })
	self.connection:send { path = ("/recv?id=%s&since=%d"):format(self.id, next_), jar = self.jar }
end

function User:part()
	if self.connection then self.connection:close() end
	self:ask("/part", "id=" .. self.id)
end

-- Clone -> users of it, as gcscale knows them.
local function sessions(m)
	local found = {}
	for _, clone in ipairs(m:status().report.clones) do found[clone.vmid] = clone.sessions end
	return found
end

local function vmids(m)
	local found = {}
	for vmid in pairs(m:domains()) do found[#found + 1] = vmid end
	table.sort(found)
	return found
end

local function wait_dead(t, pid)
	t.wait_until(function() return not procfs.alive(pid) end, nil, ("the death of %d"):format(pid))
end

describe("the chat demo on machines #qemu", function()
	it("puts five users on three of them, each room by itself, and ends what nobody needs", function()
		vm.run(function(t)
			local m, port = start(t)
			assert.same({ 0 }, vmids(m))
			local users = {}
			for i, nick in ipairs { "ada", "grace", "alan", "barbara", "dennis" } do
				users[i] = join(t, port, nick)
				users[i]:ask("/send", ("id=%s&text=I%%20am%%20%s"):format(users[i].id, nick))
				users[i]:stay()
			end
			local seen = {}
			for i, user in ipairs(users) do seen[i] = user.vmid end
			assert.same({ 1, 1, 2, 2, 3 }, seen)
			assert.same({ 0, 1, 2, 3 }, vmids(m))
			local domains = m:domains()
			assert.same({ 2, 2, 1 }, sessions(m))

			local rooms = {
				{ "ada: I am ada", "grace: I am grace" }, { "alan: I am alan", "barbara: I am barbara" },
				{ "dennis: I am dennis" },
			}
			for _, user in ipairs(users) do
				assert.same(rooms[user.vmid], user:heard(), user.nick)
				assert.equal(user.vmid, user:ask("/who", "").vmid)
			end

			-- of a room that somebody is still in, the machine stays
			for i = 2, 5 do users[i]:part() end
			for _ = 1, 2 do m.process:line("clone [23] ended") end
			wait_dead(t, domains[2].pid)
			wait_dead(t, domains[3].pid)
			assert.same({ 0, 1 }, vmids(m))
			assert.same({ [1] = 1 }, sessions(m))
			assert.same({ "ada: I am ada", "grace: I am grace" }, users[1]:heard())
			users[1]:part()
			m.process:line("clone 1 ended")
			wait_dead(t, domains[1].pid)
			assert.same({ 0 }, vmids(m))

			assert.equal(0, (m.process:stop()))
			assert.equal("", m.process.stderr)
		end)
	end)
end)

describe("the page of a chat on a machine #qemu #browser", function()
	it("works in a browser", function()
		local why = webdriver.missing()
		if why then return pending(why) end
		vm.run(function(t)
			local driver
			local m, port
			t.all {
				function() m, port = start(t) end,
				function() driver = webdriver.start(t) end,
			}
			local page = driver:page()
			page:open(("http://127.0.0.1:%d/"):format(port))
			page:type("#nick", "Ada\n")
			page:wait_for "return document.querySelector('#state').dataset.is === 'on'"
			assert.equal("clone 1", page:text "#name")
			page:type("#text", "Hello from a machine\n")
			assert.same({ "Hello from a machine" }, page:wait_for [[
				const said = [...document.querySelectorAll(".said p")].map((p) => p.textContent);
				return said.length > 0 && said;
			]])
			page:reload()
			page:wait_for "return document.querySelector('#log').textContent.includes('from a machine')"
			driver:stop()
			assert.equal(0, (m.process:stop()))
		end)
	end)
end)
