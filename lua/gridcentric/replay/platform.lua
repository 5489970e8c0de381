-- A model of the platform: clones are made after a time, or denied by chance. The functions of
-- gridcentric.platform that a controller needs; nobody asks for commands. It has no report(), so
-- that the controller makes no reports, which would cost more than all the rest.

local random = require "gridcentric.util.random"

local model = {}

local STOP_S = 0.001 -- from asking a clone to end to its end

---@class gridcentric.ModelOptions
---@field clone_s number seconds that an operation takes
---@field denial number share of the operations that are denied
---@field seed integer of what is left to chance

---@class gridcentric.PlatformModel
---@field kind "outside"
---@field made integer clones
---@field ended integer clones
---@field operations integer
---@field denied integer operations
---@field on_decision fun(decision: gridcentric.Decision, text: string)? told of each
local Model = { __name = "gridcentric.replay.platform", kind = "outside", port = 8080 }
Model.__index = Model

---@param clock gridcentric.Clock
---@param o gridcentric.ModelOptions
---@return gridcentric.PlatformModel
function model.new(clock, o)
	return setmetatable({
		clock = clock,
		clone_s = o.clone_s,
		denial = o.denial,
		random = random.new(o.seed),
		made = 0, ended = 0, operations = 0, denied = 0,
	}, Model)
end

function Model:start(callback)
	callback(true)
	self.notify(0, "ready", { ip = "127.0.0.1", port = self.port, text = "" })
end

function Model:subscribe(fn) self.notify = fn end
function Model:on_lost() end
function Model:on_command() end
function Model:on_metric() end

function Model:event(what, _, text, details)
	if what == "decision" and self.on_decision then self.on_decision(details, text) end
end

local function is_denied(self)
	return (self.random() >> 11) / 2 ^ 53 < self.denial
end

local function make(self, n)
	local first, vmids = self.made + 1, {}
	self.made = self.made + n
	for vmid = first, self.made do self.notify(vmid, "starting", { text = "" }) end
	for vmid = first, self.made do
		vmids[#vmids + 1] = vmid
		local ip = ("127.%d.%d.%d"):format(64 + (vmid >> 16), vmid >> 8 & 255, vmid & 255)
		self.notify(vmid, "ready", { ip = ip, port = self.port, text = "" })
	end
	return vmids
end

function Model:clone(n, callback)
	self.operations = self.operations + 1
	self.clock.after(self.clone_s, function()
		if is_denied(self) then
			self.denied = self.denied + 1
			return callback({}, "denied by chance", "GC_EDENIED")
		end
		callback(make(self, n))
	end)
end

function Model:stop(vmid, _, callback)
	self.clock.after(STOP_S, function()
		self.ended = self.ended + 1
		self.notify(vmid, "ended", { signal = 15, text = "killed by SIGTERM" })
		if callback then callback(true) end
	end)
end

function Model:close(_, callback) callback() end

return model
