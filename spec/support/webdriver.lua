-- Headless Chromium for specs: a client of chromedriver (W3C WebDriver).
--
--	local driver = webdriver.start(t)          in an async.run
--	local page = driver:page{ width = 390, height = 700, scale = 1, dark = true }
--	page:open("http://127.0.0.1:8080/")
--	page:type("#nick", "ada\n")
--	page:wait_for("return document.title === arguments[0]", "Chat")
--	local png = webdriver.png(page:screenshot())
--	driver:stop()
--
-- Each page is a browser of its own, with its own profile: its own cookies, cache and
-- connections, as another user's would be. (Contexts within one browser can only be
-- made over its own protocol; five browsers start in 5 s on two cores.)
--
--	page:open(url), page:reload()
--	page:run(script, ...)        the script is a function's body, its arguments in
--	                             `arguments`; gives what it returns, or its promise
--	page:wait_for(script, ...)   runs it until it returns something true, gives that
--	page:text(css)               text as it is shown
--	page:attribute(css, name)
--	page:type(css, text)         in place of what is in the field; "\n" is the Enter key
--	page:click(css)              waits, as type does, until the element is visible
--	page:screenshot()            what is seen, PNG in base64
--
-- Failures raise.

local json = require "dkjson"
local tmp = require "spec.support.tmp"
local uv = require "luv"

local webdriver = {}

local WAIT_MS = 120000 -- for what a page is to show
local COMMAND_MS = 120000 -- starting a browser on a busy machine takes its time
local ENTER = "\u{E007}" -- of WebDriver's private characters for keys

-- No window on a screen, no traffic of its own, nothing that asks. Its sandbox needs
-- rights that containers lack; it only meets pages of the specs.
local CHROMIUM = {
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
	"--no-first-run", "--disable-quic", "--disable-sync", "--disable-component-update",
	"--disable-background-networking", "--disable-extensions",
	"--disable-features=PreloadTopChromeWebUI,SpareRendererForSitePerProcess",
}

local Page = {}
Page.__index = Page
Page.__name = "spec page"

local Driver = {}
Driver.__index = Driver
Driver.__name = "spec chromedriver"

-- Sends a command to chromedriver, gives the value it answers with.
local function command(driver, method, path, fields)
	local body = fields and json.encode(setmetatable(fields, { __jsontype = "object" }))
	local response, err = driver.t.http{
		port = driver.port, method = method, path = path, body = body, timeout_ms = COMMAND_MS,
	}
	if not response then error("chromedriver: " .. err, 0) end
	local value = json.decode(response.body).value
	if response.status ~= 200 then
		error(("%s %s: %s: %s"):format(method, path, value.error, value.message:match("[^\n]*")), 0)
	end
	return value
end

local function list(...) return setmetatable({ ... }, { __jsontype = "array" }) end

function Page:command(method, path, fields)
	return command(self.driver, method, "/session/" .. self.id .. path, fields)
end

function Page:open(url) self:command("POST", "/url", { url = url }) end
function Page:reload() self:command("POST", "/refresh", {}) end

function Page:run(script, ...)
	return self:command("POST", "/execute/sync", { script = script, args = list(...) })
end

-- Looks every 20 ms, inside the page.
local WAIT = [[
	const test = function() { %s }, until = Date.now() + %d, args = arguments;
	return new Promise((resolve) => {
		const look = () => {
			const value = test(...args);
			if (value || Date.now() > until) resolve(value);
			else setTimeout(look, 20);
		};
		look();
	});
]]

function Page:wait_for(script, ...)
	local value = self:run(WAIT:format(script:gsub("%%", "%%%%"), WAIT_MS), ...)
	if not value then
		local shown = self:run("return document.body.innerText")
		error(("not within %d ms: %s\nthe page shows:\n%s"):format(WAIT_MS, script, shown), 2)
	end
	return value
end

-- Gives the path of an element, once it is visible.
local function find(page, css)
	page:wait_for("return document.querySelector(arguments[0])?.checkVisibility()", css)
	local element = page:command("POST", "/element", { using = "css selector", value = css })
	return "/element/" .. select(2, next(element))
end

function Page:text(css) return self:command("GET", find(self, css) .. "/text") end

function Page:attribute(css, name)
	return self:command("GET", find(self, css) .. "/attribute/" .. name)
end

function Page:type(css, text)
	local element = find(self, css)
	self:command("POST", element .. "/clear", {})
	self:command("POST", element .. "/value", { text = text:gsub("\n", ENTER) })
end

function Page:click(css) self:command("POST", find(self, css) .. "/click", {}) end
function Page:screenshot() return self:command("GET", "/screenshot") end

-- A command of Chromium's own protocol.
function Page:devtools(name, params)
	return self:command("POST", "/goog/cdp/execute", { cmd = name, params = params })
end

---@param options? {width: integer, height: integer, scale: number, dark: boolean}
function Page:resize(options)
	options = options or {}
	self:devtools("Emulation.setDeviceMetricsOverride", {
		width = options.width or 1000, height = options.height or 700,
		deviceScaleFactor = options.scale or 1, mobile = false,
	})
	local scheme = { name = "prefers-color-scheme", value = options.dark and "dark" or "light" }
	self:devtools("Emulation.setEmulatedMedia", { features = list(scheme) })
end

-- A folder that goes with the run. Some of a browser's many processes end, and write, a
-- little later than the one that was told to.
local function new_folder(t)
	local path = tmp.new()
	t.defer(function()
		local limit = uv.hrtime() + WAIT_MS * 1e6
		repeat
			local ok, err = pcall(tmp.remove, path)
			if not ok then uv.sleep(20) end
		until ok or uv.hrtime() > limit and error(err, 0)
	end)
	return path
end

function Page:close() self:command("DELETE", "") end

---Starts a browser of its own.
---@param options? table as Page:resize takes
function Driver:page(options)
	local arguments = list("--user-data-dir=" .. new_folder(self.t), table.unpack(CHROMIUM))
	local session = command(self, "POST", "/session", {
		capabilities = { alwaysMatch = {
			browserName = "chrome", ["goog:chromeOptions"] = { args = arguments },
		} },
	})
	local page = setmetatable({ driver = self, id = session.sessionId }, Page)
	table.insert(self.pages, page)
	page:resize(options)
	return page
end

---Ends all browsers and chromedriver.
function Driver:stop()
	for _, page in ipairs(self.pages) do page:close() end
	self.process:stop()
end

---Why there is no browser to be had here, if so.
---@return string?
function webdriver.missing()
	for _, program in ipairs{ "chromium", "chromedriver" } do
		local found = false
		for folder in os.getenv("PATH"):gmatch("[^:]+") do
			found = found or uv.fs_access(folder .. "/" .. program, "X")
		end
		if not found then return program .. " is not installed" end
	end
	-- by which it speaks to the browser; Debian's installer writes it, debootstrap does not
	if not uv.getaddrinfo("localhost", nil, {}) then return "localhost is not known" end
end

---@param t table what async.run gives
function webdriver.start(t)
	local folder = new_folder(t)
	local process = t.spawn{
		"chromedriver", "--port=0", foreign = true, env = { HOME = folder, TMPDIR = folder },
	}
	local port = process:line("started successfully on port (%d+)", COMMAND_MS)
	return setmetatable({ t = t, process = process, port = port, pages = {} }, Driver)
end

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

---The bytes of a screenshot.
---@param base64 string
function webdriver.png(base64)
	local value = { ["="] = 0 }
	for i = 1, #DIGITS do value[DIGITS:sub(i, i)] = i - 1 end
	local bytes = base64:gsub("(.)(.)(.)(.)", function(a, b, c, d)
		return (">I3"):pack(value[a] << 18 | value[b] << 12 | value[c] << 6 | value[d])
	end)
	return bytes:sub(1, -1 - select(2, base64:gsub("=", "")))
end

return webdriver
