-- gcscale run-image: boots a virtual machine with an engine, but without a policy: the program in
-- it scales itself. Its console goes to standard output.

local async = require "gridcentric.platform.async"
local boot_line = require "gridcentric.cli.boot_line"
local exit = require "gridcentric.cli.exit"
local forward = require "gridcentric.cli.forward"
local gc = require "gridcentric"
local host_port = require "gridcentric.util.host_port"
local journal = require "gridcentric.cli.journal"
local platform = require "gridcentric.platform"
local service_name = require "gridcentric.util.service_name"
local units = require "gridcentric.util.units"
local uv = require "luv"

local SIGNALS = { sigint = 2, sigterm = 15 }
local GRACE_MS = 5000 -- from the first signal until everything is killed
local LATE_MS = 60000 -- after this a line says what is missing

---@class gridcentric.RunImage what is under way
---@field args table the command line
---@field name string of the image
---@field vm gridcentric.Platform
---@field log gridcentric.Log
---@field since integer ms, when it was started
---@field late userdata timer, until it is ready
---@field is_line_open boolean whether the console's last line has no end yet
---@field stop_line fun()
---@field relay gridcentric.Forward?
---@field ending boolean? whether it was asked to end
---@field status integer? to exit with

-- Ends the loop; the first status counts.
local function finish(self, status, err)
	if not self.status then
		self.stop_line()
		self.status = status
		if err then exit.fail(status, err) end
	end
	uv.stop()
end

local function show_console(self, text)
	if text == "" then return end
	self.stop_line()
	self.is_line_open = text:sub(-1) ~= "\n"
	io.stdout:write(text):flush()
end

local function say(self, what, text)
	self.stop_line()
	if self.is_line_open then io.stdout:write "\n" end
	self.is_line_open = false
	self.log.event(what, 0, text)
end

-- The address that leads to the program's port, "127.64.0.1:8001"; nil if there is none.
local function find_endpoint(domains, port)
	for _, domain in ipairs(domains or {}) do
		if domain.vmid == 0 then return domain.endpoints[port] end
	end
end

local function tell_ready(self, seconds)
	local text = ("%s is ready after %s"):format(self.name, units.show(seconds, "s"))
	if self.args.port == 0 then return say(self, "ready", text) end
	gc.list_domains(function(domains)
		local endpoint = find_endpoint(domains, self.args.port)
		local where = endpoint and (": port %d is at %s"):format(self.args.port, endpoint) or ""
		say(self, "ready", text .. where)
		if not self.relay or not endpoint then return end
		local address = host_port.read(endpoint)
		self.relay:open_to(address.host, address.port)
		say(self, "start", ("forwarding %s"):format(self.relay.address))
	end)
end

local function on_domain(self, vmid, state, info)
	if vmid ~= 0 then return end
	if state == "ready" then
		self.late:stop()
		tell_ready(self, (uv.now() - self.since) / 1000)
	elseif state == "starting" then
		if info.text ~= "" then say(self, "start", info.text) end
	elseif (state == "ended" or state == "failed") and not self.ending then
		self.ending = true
		local is_well = state == "ended" and info.status == 0
		local text = ("%s ended%s: %s"):format(self.name,
			state == "failed" and " before it was ready" or "", info.text)
		if is_well then say(self, "ended", text) end
		self.vm:close(0, function()
			finish(self, is_well and exit.OK or exit.FAILED, not is_well and text or nil)
		end)
	end
end

-- The first signal ends the machine in order, a second one at once.
local function watch_signals(self)
	local seen = false
	for name, number in pairs(SIGNALS) do
		uv.new_signal():start(name, function()
			local first = not seen
			seen, self.ending = true, true
			self.vm:close(first and GRACE_MS or 0, function() finish(self, exit.OK) end)
			if not first then finish(self, 128 + number) end
		end)
	end
end

local function new_vm(self, image)
	local args = self.args
	local base = self.name:gsub("%.[^.]*$", "")
	return platform.vm {
		name = args.name or service_name(base), image = image, port = args.port,
		memory = args.memory, cpus = args.cpus, accel = args.accel, network = "user", has_lan = true,
		spare = 0, -- its tickets say when
		on_console = function(text) show_console(self, text) end,
	}
end

local function start(self)
	self.vm:subscribe(function(...) on_domain(self, ...) end)
	self.vm:on_lost(function(err) finish(self, exit.FAILED, "the engine is lost: " .. err) end)
	self.late:start(LATE_MS, 0, function()
		if self.args.port == 0 then return say(self, "start", "no agent has spoken yet") end
		say(self, "start", ("no program listens on port %d yet; --port says on which it does"):format(
			self.args.port))
	end)
	self.vm:start(function(ok, err)
		if ok or self.ending then return end
		self.ending = true
		self.vm:close(0, function() finish(self, exit.FAILED, err) end)
	end)
end

---@param args table { image =, memory =, cpus =, accel =, port =, name =, forward = }
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	local image, missing = uv.fs_realpath(args.image)
	if not image then return exit.fail(exit.FAILED, (missing:gsub("^%w+: ", ""))) end
	local self = {
		args = args, name = image:match "[^/]*$", log = journal.new(terminal), is_line_open = false,
		since = uv.now(), late = uv.new_timer(), stop_line = function() end,
	}
	local err
	self.vm, err = new_vm(self, image)
	if not self.vm then return exit.fail(exit.FAILED, err) end
	watch_signals(self)
	if args.forward then
		self.relay, err = forward.listen(args.forward, self.log.error)
		if not self.relay then return exit.fail(exit.FAILED, err) end
	end
	self.stop_line = boot_line.start(terminal, self.name)
	start(self)
	async.hold()
	uv.run()
	return self.status
end
