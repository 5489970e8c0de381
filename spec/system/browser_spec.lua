-- limit: 600 s
-- The chat as its users see it: Chromium on the page of examples/chat.

local async = require "spec.support.async"
local paths = require "spec.support.paths"
local puppet = require "spec.support.puppet"
local webdriver = require "spec.support.webdriver"

if puppet.missing then
	return it("browsers", function() pending(puppet.missing) end)
end

local chat = paths.examples .. "/chat"

local function wait_for_port(t, port)
	-- A connection only: a request would be a user.
	local connection = t.wait_until(function() return (t.connect{ port = port }) end, nil, "the port")
	connection:close()
end

local function vmid(page)
	return tonumber(page:run("return document.documentElement.dataset.vmid"))
end

local function enter(page, nick)
	page:type("#nick", nick .. "\n")
	page:wait_for("return document.querySelector('#state').dataset.is === 'on'")
end

local function say(page, text) page:type("#text", text .. "\n") end

-- What was said in the room of a page, once there are n texts.
local function said(page, n)
	return page:wait_for([[
		const texts = [...document.querySelectorAll(".said p")].map((p) => p.textContent);
		return texts.length >= arguments[0] && texts;
	]], n)
end

local function people(page)
	return page:run([[return [...document.querySelectorAll("#people bdi")].map((e) => e.textContent)]])
end

-- Runs body(t, driver) where there is a browser.
local function with_browser(body)
	local why = webdriver.missing()
	if why then return pending(why) end
	async.run(function(t)
		body(t, webdriver.start(t))
	end, { timeout_ms = 140000 })
end

local function write_file(path, bytes)
	local file <close> = assert(io.open(path, "wb"))
	assert(file:write(bytes))
end

local GALLERY = [[
	<!doctype html>
	<style>
		body { margin: 0; padding: 20px; display: flex; gap: 20px; background: #d9dbe0; }
		div { display: flex; flex-direction: column; gap: 20px; }
		img, p { box-sizing: border-box; width: 430px; height: 570px; border-radius: 14px; }
		img { box-shadow: 0 2px 10px #0003; }
		p { display: grid; place-content: center; margin: 0; border: 3px dashed #aab; }
		p { color: #667; font: 20px Inter, sans-serif; text-align: center; }
	</style>
]]

-- One picture of all users: a column for each clone, and a place for who comes next.
local function compose(t, page, pictures)
	local columns = {}
	for _, picture in ipairs(pictures) do
		local column = columns[picture.vmid] or {}
		columns[picture.vmid] = column
		column[#column + 1] = ('<img src="data:image/png;base64,%s">'):format(picture.screenshot)
	end
	local html = { GALLERY }
	for _, column in ipairs(columns) do
		if #column == 1 then column[2] = "<p>the next visitor<br>comes here</p>" end
		html[#html + 1] = "<div>" .. table.concat(column) .. "</div>"
	end
	local path = t.tmpdir() .. "/gallery.html"
	write_file(path, table.concat(html))
	page:resize{ width = 20 + 450 * #columns, height = 20 + 590 * 2 }
	page:open("file://" .. path)
	write_file(paths.build .. "/chat.png", webdriver.png(page:screenshot()))
end

-- Who comes, in this order, where to, and what they say.
local USERS = {
	{ nick = "Ada", vmid = 1, text = "Hello Grace! Are we alone here?" },
	{ nick = "Grace", vmid = 1, text = "The others are on clones of their own." },
	{ nick = "Alan", vmid = 2, text = "I am the third, and here is clone 2." },
	{ nick = "Barbara", vmid = 2, text = "Made while you were on your way." },
	{ nick = "Dennis", vmid = 3, text = "A whole server for me alone!" },
}

-- A field of all users whom a clone serves.
local function of_clone(n, field)
	local values = {}
	for _, user in ipairs(USERS) do
		if user.vmid == n then values[#values + 1] = user[field] end
	end
	return values
end

local function open_browsers(t, driver)
	local start = {}
	for i in ipairs(USERS) do
		start[i] = function() return driver:page{ width = 430, height = 570 } end
	end
	return t.all(start)
end

local function check_room(user, page)
	local texts = of_clone(user.vmid, "text")
	assert.same(texts, said(page, #texts), user.nick)
	assert.equal(user.vmid, vmid(page), user.nick)
	assert.same(of_clone(user.vmid, "nick"), people(page), user.nick)
end

local systems = {
	{
		name = "gcscale examples/chat/policy.lua",
		start = function(t, port)
			return t.spawn{ paths.gcscale, chat .. "/policy.lua", "--listen", "127.0.0.1:" .. port }
		end,
	},
	{
		name = "lua5.4 examples/chat/server.lua",
		start = function(t, port)
			return t.spawn{ "lua5.4", chat .. "/server.lua", tostring(port), env = { PORT = false } }
		end,
	},
}

for _, system in ipairs(systems) do
	describe(system.name .. " #browser", function()
		it("puts five browsers on three clones, two, two and one", function()
			with_browser(function(t, driver)
				local port = t.free_port()
				local process = system.start(t, port)
				wait_for_port(t, port)
				local pages = open_browsers(t, driver)

				for i, user in ipairs(USERS) do
					pages[i]:open(("http://127.0.0.1:%d/"):format(port))
					enter(pages[i], user.nick)
					assert.equal("clone " .. user.vmid, pages[i]:text("#name"))
				end
				for i, user in ipairs(USERS) do
					say(pages[i], user.text)
					assert.equal(user.text, said(pages[i], 2 - i % 2)[2 - i % 2])
				end
				local pictures = {}
				for i, user in ipairs(USERS) do
					check_room(user, pages[i])
					pictures[i] = { vmid = user.vmid, screenshot = pages[i]:screenshot() }
				end
				for i = #USERS, 1, -1 do -- a reload leads back to the same seat
					pages[i]:reload()
					check_room(USERS[i], pages[i])
				end

				compose(t, pages[1], pictures)
				driver:stop()
				assert.equal(0, process:stop())
			end)
		end)
	end)
end

describe("the page of the chat #browser", function()
	-- The server by itself, as domain n.
	local function start_server(t, port, n)
		local process = t.spawn{
			"lua5.4", "-e", ([[
				package.preload["gridcentric"] = function()
					return { vmid = function() return %d end }
				end
				package.preload["gridcentric.autoscale"] = function()
					return { setup = function() end }
				end
			]]):format(n), chat .. "/server.lua", env = { PORT = tostring(port) },
		}
		wait_for_port(t, port)
		return process
	end

	it("shows what it should, and finds back when the server was gone", function()
		with_browser(function(t, driver)
			local port = t.free_port()
			local server = start_server(t, port, 0)
			local page = driver:page()
			page:open(("http://127.0.0.1:%d/"):format(port))
			assert.equal("the master", page:text("#name"))
			page:wait_for("return document.querySelector('#there').textContent.includes('first one')")

			page:type("#nick", "   \n") -- refused by the server, not by the page
			page:wait_for("return document.querySelector('#refusal').textContent.includes('1 to 24')")

			local nick, text = "<i>&amp;", "<img src=x onerror=\"document.title='ran'\">"
			enter(page, nick)
			say(page, text)
			assert.same({ text }, said(page, 1))
			assert.same({ nick }, people(page))
			assert.equal("The master · Chat", page:run("return document.title"))
			assert.equal("", page:run("return document.querySelector('#text').value"))

			server:kill("sigkill")
			server:wait()
			page:wait_for("return document.querySelector('#how').textContent === 'Connection lost.'")
			say(page, "lost")
			page:wait_for("return !document.querySelector('#trouble').hidden")
			assert.equal("lost", page:run("return document.querySelector('#text').value"))

			server = start_server(t, port, 5) -- which has never heard of us
			page:click("#again")
			page:wait_for("return document.documentElement.dataset.vmid === '5'")
			assert.equal("clone 5", page:text("#name"))
			say(page, "found back")
			page:wait_for("return document.querySelector('#log').textContent.includes('found back')")
			assert.same({ "found back" }, said(page, 1))

			page:click("#leave")
			page:wait_for("return document.querySelector('#there').textContent.includes('first one')")
			page:reload()
			assert.is_true(page:run("return !document.querySelector('#door').hidden"))
			driver:stop()
			server:stop()
		end)
	end)

	it("offers another visitor, where a name below .localhost makes one", function()
		with_browser(function(t, driver)
			local port = t.free_port()
			local server = start_server(t, port, 1)
			local page = driver:page{ width = 390, dark = true }
			page:open(("http://127.0.0.1:%d/"):format(port))
			local url = page:attribute("#elsewhere a", "href")
			local name = url:match("^http://(%l+)%-%w+%.localhost:" .. port .. "/$")
			assert.is_string(name)
			page:open(url)
			local nick = page:wait_for("return document.querySelector('#nick').value")
			assert.equal(name, nick:lower())
			driver:stop()
			server:stop()
		end)
	end)
end)
