-- What standard output can show: colours and a width if it is a terminal, plain lines if not.

local uv = require "luv"

local terminal = {}

local CODES = { bold = 1, dim = 2, red = 31, green = 32, yellow = 33, cyan = 36 }

---@class gridcentric.Terminal
---@field is_tty boolean
---@field width integer? columns
---@field is_unicode boolean whether it shows more than ASCII
---@field paint fun(colour: string?, text: string): string

-- https://no-color.org
local function wants_colour(env)
	local no_color = env "NO_COLOR"
	return (not no_color or no_color == "") and env "TERM" ~= "dumb"
end

-- The first one that is set counts, as for all programs: see locale(7).
local function is_unicode(env)
	for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
		local locale = env(name)
		if locale and locale ~= "" then return locale:lower():find "utf%-?8" ~= nil end
	end
	return false
end

---@param is_tty boolean
---@param width integer?
---@param env? fun(name: string): string?
---@return gridcentric.Terminal
function terminal.new(is_tty, width, env)
	env = env or os.getenv
	local coloured = is_tty and wants_colour(env)
	local function paint(colour, text)
		if not coloured or not colour then return text end
		return ("\27[%dm%s\27[0m"):format(CODES[colour], text)
	end
	return { is_tty = is_tty, width = width, is_unicode = is_unicode(env), paint = paint }
end

-- Through a descriptor of its own: luv would mark stdout's to be closed by exec.
local function window_width()
	local fd = uv.fs_open("/dev/tty", "r", 0)
	local tty = fd and uv.new_tty(fd, true)
	local width = tty and tty:get_winsize()
	if tty then
		tty:close()
		uv.run "nowait" -- luv does not bear that Lua ends before the handle is closed
	elseif fd then
		uv.fs_close(fd)
	end
	return width and width > 0 and width or nil
end

---@return gridcentric.Terminal # stdout
function terminal.stdout()
	if uv.guess_handle(1) ~= "tty" then return terminal.new(false) end
	return terminal.new(true, window_width())
end

-- nohup, for one, ignores it for the programs that it starts.
local function is_hangup_ignored()
	local file = io.open "/proc/self/status"
	local mask = file and file:read "a":match "\nSigIgn:%s*(%x+)"
	if file then file:close() end
	return mask ~= nil and tonumber(mask, 16) & 1 ~= 0
end

---Whether this process belongs to a terminal, and is to end when that is closed. Asked before
---SIGHUP is caught.
---@return boolean
function terminal.is_attached()
	local tty = io.open "/dev/tty" -- the controlling terminal; there is none for a daemon
	if not tty then return false end
	tty:close()
	return not is_hangup_ignored()
end

return terminal
