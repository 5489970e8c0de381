-- What is known of the load: makes the samples that a policy gets.
--
--	local load = metrics.new { ... }
--	load:refresh()       each second: measures what takes time
--	load:sample()        at any time, and at once
--
-- Counts that change with each arrival are read for each sample; everything else is as of the last
-- refresh().
--
-- An average belongs to the clones it was measured over; their number changes at any time, the
-- average only once a second. So a sample gives the processor time as it spreads over the clones
-- there are now, and says of the other averages how many clones they belong to (`measured_over`).
-- Whoever multiplies an average by the number of clones gets the load either way.
--
-- The fields of a sample, gridcentric.Sample, are described in registry.lua, which says how to add
-- one.

local requests = require "gridcentric.metrics.requests"
local scraper = require "gridcentric.metrics.scraper"
local reported = require "gridcentric.metrics.reported"
local usage = require "gridcentric.metrics.usage"

local metrics = {}

-- For JSON: also when it is empty.
local OBJECT = { __jsontype = "object" }

---How things outside of this process are measured. What is left out is not measured.
---@class gridcentric.Instruments
---@field cpu_time? fun(pid: integer): number? seconds
---@field private_memory? fun(pid: integer): integer? bytes
---@field heap? fun(): number bytes, where the program is this process
---@field recorded? fun(): table<string, any> all of it, as it was measured once; asked for each
--- sample
---@field fetch? fun(target: gridcentric.HttpTarget, limits: table, callback: function): fun()

---@class gridcentric.MetricsOptions
---@field policy gridcentric.Policy
---@field now fun(): number seconds
---@field clones fun(): gridcentric.Clone[] clones that serve
---@field counts table<string, fun(): number> fields that are read for each sample
---@field instruments? gridcentric.Instruments

---@class gridcentric.Metrics: gridcentric.MetricsOptions
---@field requests gridcentric.Requests
---@field reported gridcentric.Reported
---@field scraper gridcentric.Scraper?
---@field measured table<string, any> fields as of the last refresh
---@field cpu_over integer clones that `cpu` among them was measured over
local Metrics = { __name = "gridcentric.metrics" }
Metrics.__index = Metrics

-- Metrics of the user's own. A metric that is fetched cannot be reported by a domain.
local function measure_own(self, over)
	local how = {}
	for name, entry in pairs(self.policy.metrics) do how[name] = entry.aggregate end
	local own, domains = self.reported:measure(how)
	for name, n in pairs(domains) do over["my." .. name] = n end
	local scraped, asked = {}, {}
	if self.scraper then scraped, asked = self.scraper:measure() end
	for name, entry in pairs(self.policy.metrics) do
		if entry.metric then own[name], over["my." .. name] = scraped[name], asked[name] end
	end
	return setmetatable(own, OBJECT)
end

-- What is known now, and over how many clones the processor time was measured.
local function measure(self)
	local clones, now = self.clones(), self.now()
	local measured, latency_over = self.requests:measure(now)
	for name, value in pairs(self.usage and usage.measure(clones) or {}) do measured[name] = value end
	local over = { latency = latency_over, memory_per_clone = #clones }
	local heap = self.instruments.heap
	measured.heap = heap and heap() or self.reported:get(0, "_heap")
	measured.my = measure_own(self, over)
	measured.measured_over = over
	return measured, usage.measured_over(clones, now)
end

-- What was recorded is not measured.
local function take_measures(self)
	if not self.instruments.recorded then self.measured, self.cpu_over = measure(self) end
end

---@param o gridcentric.MetricsOptions
---@return gridcentric.Metrics
function metrics.new(o)
	local self = setmetatable({
		now = o.now,
		clones = o.clones,
		counts = o.counts,
		instruments = o.instruments or {},
		requests = requests.new(o.now(), function() return #o.clones() end),
		reported = reported.new(),
	}, Metrics)
	if self.instruments.cpu_time then
		self.usage = usage.new {
			cpu_time = self.instruments.cpu_time,
			private_memory = self.instruments.private_memory,
			now = o.now,
		}
	end
	self:follow(o.policy)
	return self
end

---Measures what a policy needs from now on.
---@param policy gridcentric.Policy
function Metrics:follow(policy)
	self:close()
	self.policy = policy
	if self.instruments.fetch then
		self.scraper = scraper.new {
			metrics = policy.metrics, fetch = self.instruments.fetch, clones = self.clones, now = self.now,
		}
	end
	take_measures(self)
end

---Measures again; to be called about once a second.
function Metrics:refresh()
	if self.usage then self.usage:step(self.clones()) end
	if self.scraper then self.scraper:step() end
	take_measures(self)
end

-- The processor time as it spreads over the clones that there are now.
local function spread(cpu, over, clones)
	if clones == over then return cpu end
	return clones > 0 and cpu * over / clones or 0
end

---@return gridcentric.Sample
function Metrics:sample()
	local sample, recorded = {}, self.instruments.recorded
	for name, value in pairs(recorded and recorded() or self.measured) do sample[name] = value end
	for name, read in pairs(self.counts) do sample[name] = read() end
	if sample.cpu and not recorded then
		sample.cpu = spread(sample.cpu, self.cpu_over, #self.clones())
	end
	return sample
end

---Why the last fetch of the user's own metrics failed, by name.
---@return table<string, string>
function Metrics:errors()
	return setmetatable(self.scraper and self.scraper.errors or {}, OBJECT)
end

---How often fetches failed, by name.
---@return table<string, integer>
function Metrics:failures()
	return self.scraper and self.scraper.failures or {}
end

---Cancels fetches under way.
function Metrics:close()
	if self.scraper then self.scraper:close() end
end

return metrics
