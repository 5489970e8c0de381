-- A platform in the hands of a spec: it lists what the controller asks for, and the spec says what
-- happens. It keeps the contract of spec/platform/contract.lua, and has these besides:
--
--	local platform = fake_platform.new { clock = clock }
--	platform.clone_s = 0.004                time that clones take
--	platform.answers = { { made = 1, err = "no room", code = "DENIED" } }
--	                                        of the next operations; `failed`: clones that start
--	                                        and fail; without an answer all goes well
--	platform:die(vmid, { signal = 9 })      a domain ends by itself
--	platform.tell(vmid, name, value)        a domain calls gc.metric
--	platform.lose("killed")                 the engine ends, and all domains with it
--	platform.operations                     sizes of the clone operations so far
--	platform.under_way                      how many operations there are now
--	platform.events, platform:count(what)   what was told for the ledger
--	platform.stopped                        vmids that were asked to end

local fake_platform = {}

local Platform = { kind = "outside", port = 8001 }
Platform.__index = Platform

function fake_platform.new(options)
	return setmetatable({
		clock = options.clock,
		clone_s = 0.004,
		answers = {},
		operations = {},
		under_way = 0,
		events = {},
		stopped = {},
		starts = 0,
		last_vmid = 0,
		notify = function() end,
	}, Platform)
end

function Platform:start(callback)
	self.starts = self.starts + 1
	self.clock.after(self.start_s or 0, function()
		if self.start_err then return callback(nil, self.start_err, "EFAILED") end
		callback(true)
		self.notify(0, "ready", { ip = "127.0.0.1", port = self.port, pid = 5000, text = "" })
	end)
end

function Platform:subscribe(fn) self.notify = fn end
function Platform:on_command(fn) self.command = fn end
function Platform:on_metric(fn) self.tell = fn end
function Platform:on_lost(fn) self.lose = fn end
function Platform:report(report) self.last_report = report end

-- Starts n clones, of which the last `failed` fail; gives the numbers of the others.
local function make(self, n, failed)
	local first, vmids = self.last_vmid + 1, {}
	self.last_vmid = self.last_vmid + n
	for vmid = first, self.last_vmid do self.notify(vmid, "starting", { text = "" }) end
	for vmid = first, self.last_vmid - failed do
		vmids[#vmids + 1] = vmid
		self.notify(vmid, "ready", { ip = "127.64.0." .. vmid, port = self.port, pid = 5000 + vmid })
	end
	for vmid = self.last_vmid - failed + 1, self.last_vmid do
		self.notify(vmid, "failed", { text = "it failed" })
	end
	return vmids
end

function Platform:clone(n, callback)
	table.insert(self.operations, n)
	self.under_way = self.under_way + 1
	self.clock.after(self.clone_s, function()
		local answer = table.remove(self.answers, 1) or {}
		local failed = answer.failed or 0
		local made = answer.made or answer.err and 0 or n
		local vmids = make(self, made + failed, failed)
		self.under_way = self.under_way - 1
		callback(vmids, answer.err, answer.code)
	end)
end

function Platform:die(vmid, info)
	info = info or { signal = 9 }
	info.text = info.signal and "killed by signal " .. info.signal or "exit status " .. info.status
	self.notify(vmid, "ended", info)
end

function Platform:stop(vmid, grace_ms, callback)
	table.insert(self.stopped, vmid)
	self.clock.after(0.001, function()
		self.notify(vmid, "ended", { signal = 15, text = "killed by signal 15" })
		if callback then callback(true) end
	end)
end

function Platform:event(what, vmid, text, details)
	table.insert(self.events, { what = what, vmid = vmid, text = text, details = details })
end

function Platform:count(what)
	local n = 0
	for _, event in ipairs(self.events) do
		if event.what == what then n = n + 1 end
	end
	return n
end

function Platform:close(grace_ms, callback)
	self.closed_with = grace_ms
	callback()
end

return fake_platform
