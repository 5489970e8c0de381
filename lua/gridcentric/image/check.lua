-- Boots an image once, to check that it has all that clones need: it boots, its agent reports, its
-- program keeps running and can be reached.

local async = require "gridcentric.platform.async"
local platform = require "gridcentric.platform"
local service_name = require "gridcentric.util.service_name"
local units = require "gridcentric.util.units"
local uv = require "luv"

local check = {}

local LIMIT_MS = 60000 -- to boot; emulated machines take a few seconds
local SETTLE_MS = 3000 -- a program that has a mistake has ended by then, also where it is emulated

local NO_AGENT = "; is it installed there, and started at boot?"

---@class gridcentric.ImageCheck
---@field name string of the image
---@field vm gridcentric.Platform
---@field timer userdata
---@field tell fun(text: string)
---@field callback fun(ok: true?, err: string?)
---@field is_over boolean
local Check = { __name = "gridcentric.image.check" }
Check.__index = Check

-- Ends the check. The last lines of the console are appended to err.
local function conclude(self, ok, err)
	if self.is_over then return end
	self.is_over = true
	self.timer:close()
	local lines = not ok and self.vm:last_words()
	if lines then
		err = ("%s; the last lines of its console:\n%s"):format(err, table.concat(lines, "\n"))
	end
	self.vm:close(0, function()
		async.release()
		self.callback(ok or nil, err)
	end)
end

-- Why the machine is not ready within the limit, as far as that can be seen from outside.
local function why_silent(self)
	local seconds = LIMIT_MS // 1000
	if self.has_spoken and self.port then
		return ("gridcentric-agent has spoken, but no program listens on port %d after %d s"):format(
			self.port, seconds)
	end
	if self.has_spoken then
		return ("gridcentric-agent has spoken, but is not ready after %d s"):format(seconds)
	end
	if self.vm:last_words() then
		return ("it boots, but gridcentric-agent has not spoken after %d s%s"):format(seconds, NO_AGENT)
	end
	return ("it does not boot, or tells nothing: after %d s its console (ttyS0) is empty, and "
		.. "gridcentric-agent has not spoken%s"):format(seconds, NO_AGENT)
end

local function on_domain(self, vmid, state, info)
	if vmid ~= 0 or self.is_over then return end
	if state == "ready" then
		self.is_ready = true
		self.tell("boots in " .. units.show((uv.now() - self.since) / 1000, "s"))
		self.tell "its agent speaks"
		self.timer:start(SETTLE_MS, 0, function()
			self.tell "its program runs"
			conclude(self, true)
		end)
	elseif self.is_ready then
		conclude(self, nil, ("its program ended, and the machine with it: %s"):format(info.text))
	elseif state == "starting" and self.has_spoken and info.text ~= "" then
		conclude(self, nil, info.text) -- what would keep users out
	elseif state == "starting" then
		self.has_spoken = true
	else
		conclude(self, nil, ("it ended before %s: %s"):format(
			self.has_spoken and "its program ran" or "gridcentric-agent spoke", info.text))
	end
end

---Starts a check. Calls callback(true), or callback(nil, err) with what is missing, when the
---machine has ended.
---@param options table { image = path, port =, memory = MiB, cpus =, accel = } port: on which its
---  program is to listen; nil: on any, or none
---@param tell fun(text: string) called for each step that passes
---@param callback fun(ok: true?, err: string?)
---@return gridcentric.ImageCheck?
---@return string? err
function check.start(options, tell, callback)
	local image, missing = uv.fs_realpath(options.image)
	if not image then return nil, (missing:gsub("^%w+: ", "")) end
	local vm, err = platform.vm {
		name = service_name(image:match "[^/]*$"), image = image, port = options.port or 0,
		memory = options.memory, cpus = options.cpus, accel = options.accel, network = "user", spare = 0,
	}
	if not vm then return nil, err end
	local self = setmetatable({
		vm = vm, timer = uv.new_timer(), tell = tell, callback = callback, since = uv.now(),
		port = options.port,
		is_over = false,
	}, Check)
	async.hold()
	vm:subscribe(function(...) on_domain(self, ...) end)
	vm:on_lost(function(text) conclude(self, nil, "the engine is lost: " .. text) end)
	self.timer:start(LIMIT_MS, 0, function() conclude(self, nil, why_silent(self)) end)
	vm:start(function(ok, why)
		if not ok then conclude(self, nil, why) end
	end)
	return self
end

---Ends the check early; callback(nil, err) follows.
function Check:stop()
	conclude(self, nil, "it was interrupted")
end

return check
