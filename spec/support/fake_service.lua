-- A controller on a clock, a platform and a proxy that a spec has in hand.
--
--	local s = fake_service.new(given)    with a policy of these keys; its program is up
--	s.service                            the controller
--	s.clock, s.platform, s.proxy         see fake_clock.lua, fake_platform.lua, fake_proxy.lua
--	s.file                               the policy file when it is loaded anew: its keys, or a
--	                                     text: what is wrong with it
--	s.started                            { ok, err } of its start
--	s.errors                             what it had to complain of
--	s:arrive(n)                          n users with a request under way, in one turn of the loop
--	s:places(users)                      the vmids that serve them, as "1 1 2"; "-": it waits
--	s:order(command)                     the answer to an operator, and whether it was done

local controller = require "gridcentric.controller"
local fake_clock = require "spec.support.fake_clock"
local fake_platform = require "spec.support.fake_platform"
local fake_proxy = require "spec.support.fake_proxy"
local policy = require "gridcentric.config.load"

local fake_service = {}

local Service = {}
Service.__index = Service

local function check(given)
	local all = { app = { script = "server.lua" } }
	for key, value in pairs(given) do all[key] = value end
	return policy.check(all)
end

local function new_controller(self, given)
	local keys = 0
	return controller.new {
		policy = assert(check(given)),
		platform = self.platform,
		proxy = self.proxy,
		clock = self.clock,
		load = function()
			if type(self.file) == "string" then return nil, self.file end
			return check(self.file)
		end,
		log = {
			event = function() end,
			error = function(text) self.errors[#self.errors + 1] = text end,
		},
		new_key = function()
			keys = keys + 1
			return "key" .. keys
		end,
	}
end

---@param given? table keys of a policy
---@param platform? table a fake one
function fake_service.new(given, platform)
	local self = setmetatable({ errors = {}, clock = fake_clock.new() }, Service)
	self.platform = platform or fake_platform.new {}
	self.platform.clock = self.clock
	self.proxy = fake_proxy.new()
	self.service = new_controller(self, given or {})
	self.service:start(function(ok, err) self.started = { ok, err } end)
	self.clock.advance(0)
	return self
end

function Service:arrive(n)
	local users = {}
	for i = 1, n do
		users[i] = self.proxy:client()
		users[i]:request()
	end
	return users
end

function Service:places(users)
	local found = {}
	for i, user in ipairs(users) do found[i] = user.at and user.at:match "%d+$" or "-" end
	return table.concat(found, " ")
end

function Service:order(command)
	local answer, is_done
	self.platform.command(command, function(ok, text) answer, is_done = text, ok end)
	self.clock.advance(0.01)
	return answer, is_done
end

return fake_service
