-- The program that clones are made from: vmid 0. Its clones outlive it, so it is started anew.

local units = require "gridcentric.util.units"

local program = {}

local FIRST_GAP_S = 1 -- before it is started anew; doubled each time it died young or did not start
local MAX_GAP_S = 30
local YOUNG_S = 10
local LOOK_S = 2 -- from its start until one looks where else it listens

---@class gridcentric.ProgramOptions
---@field policy gridcentric.Policy
---@field platform gridcentric.Platform
---@field clock gridcentric.Clock
---@field event fun(what: string, vmid: integer?, text: string, details: table?) tells what happened
---@field callback fun(fn: function): function makes what is given to the platform to call
---@field find_listeners? fun(callback: fun(addresses: string?)) finds where it listens
---@field on_change fun() told when it is ready, and when it has ended

---@class gridcentric.Program: gridcentric.ProgramOptions
---@field since number? when it was ready; seconds. Nil while it does not run
---@field failures integer in a row
---@field starts integer in all
---@field cancel_timer fun() while it starts, or until it is started again
local Program = { __name = "gridcentric.program" }
Program.__index = Program

---@param o gridcentric.ProgramOptions
---@return gridcentric.Program
function program.new(o)
	return setmetatable({
		policy = o.policy,
		platform = o.platform,
		clock = o.clock,
		event = o.event,
		callback = o.callback,
		on_change = o.on_change,
		find_listeners = o.find_listeners,
		failures = 0,
		starts = 0,
		cancel_timer = function() end,
		closed = false,
	}, Program)
end

---@return boolean
function Program:runs()
	return self.since ~= nil
end

-- The last lines of a machine's console; nil for processes, whose output everybody sees.
local function last_words(self)
	local lines = self.platform.last_words and self.platform:last_words()
	return lines and table.concat(lines, "\n")
end

-- What went wrong, with what its console says of it on lines of its own.
local function explained(self, err)
	local words = last_words(self)
	return words and ("%s; the last lines of its console:\n%s"):format(err, words) or err
end

-- It is ready, or could not be started: whoever waits for that is told, once.
local function settle(self, ok, err, code)
	local callback = self.on_started
	if not callback then return end
	self.on_started = nil
	self.cancel_timer()
	if not ok then err = explained(self, err) end
	if ok then
		self.since = self.clock.now()
		self.on_change()
	end
	callback(ok, err, code)
end

-- What to do for a program that listens elsewhere.
local REMEDY = "the environment variable PORT has its port; app = { port = ... } sets another one"

-- Calls back with the addresses, if it listens, but not where it is expected.
local function find_elsewhere(self, callback)
	if not self.find_listeners then return callback(nil) end
	self.find_listeners(self.callback(callback))
end

local function give_up(self, timeout)
	local start = self.starts
	find_elsewhere(self, function(addresses)
		if self.starts ~= start or not self.on_started then return end -- it is over meanwhile
		local text = ("it does not listen on port %d after %s"):format(self.platform.port,
			units.show(timeout, "s"))
		if addresses then text = ("%s, but on %s: %s"):format(text, addresses, REMEDY) end
		self.platform:stop(0, 0)
		settle(self, nil, text)
	end)
end

local function report_elsewhere(self)
	find_elsewhere(self, function(addresses)
		if not addresses or not self.on_started then return end
		self.event("program", 0, ("the program listens on %s, but is expected on port %d: %s"):format(
			addresses, self.platform.port, REMEDY))
	end)
end

-- Looks at it while it starts, and gives it up in the end.
local function wait_for_listener(self)
	local timeout = self.policy.app.start_timeout
	local cancel_look = function() end
	if self.find_listeners and timeout > LOOK_S then
		cancel_look = self.clock.after(LOOK_S, function() report_elsewhere(self) end)
	end
	local cancel_end = self.clock.after(timeout, function() give_up(self, timeout) end)
	self.cancel_timer = function()
		cancel_look()
		cancel_end()
	end
end

---@param callback fun(ok: true?, err: string?, code: string?) it is ready, or never will be
function Program:start(callback)
	self.on_started = callback
	self.starts = self.starts + 1
	local is_inside = self.platform.kind == "inside" -- the program is this process
	if not is_inside then wait_for_listener(self) end
	-- Outside, it is ready when the platform says so.
	self.platform:start(self.callback(function(ok, err, code)
		if not ok or is_inside then settle(self, ok, err, code) end
	end))
end

local function start_again(self)
	if self.closed then return end
	local gap = math.min(FIRST_GAP_S * 2 ^ self.failures, MAX_GAP_S)
	self.failures = self.failures + 1
	self.cancel_timer = self.clock.after(gap, function()
		self:start(function(ok, err)
			if ok then return self.event("program", 0, "the program runs again") end
			self.event("program", 0, "the program cannot be started: " .. err:match "^[^\n]*",
				{ console = last_words(self) })
			start_again(self)
		end)
	end)
end

local function on_end(self, info)
	if not self.since then return settle(self, nil, "it ended before it listened: " .. info.text) end
	if self.clock.now() - self.since >= YOUNG_S then self.failures = 0 end
	self.since = nil
	self.event("program", 0, ("the program ended: %s"):format(info.text),
		{ status = info.status, signal = info.signal, console = last_words(self) })
	self.on_change()
	start_again(self)
end

---The platform tells of the program.
---@param state "starting"|"ready"|"ended"|"failed" starting: of a machine, whose agent has spoken
---@param info { status: integer?, signal: integer?, text: string }
function Program:on_domain(state, info)
	if state == "ready" then return settle(self, true) end
	if state ~= "starting" then return on_end(self, info) end
	if info.text ~= "" then self.event("program", 0, info.text) end
end

---Neither waits for it nor starts it any more.
function Program:close()
	self.closed = true
	self.cancel_timer()
end

return program
