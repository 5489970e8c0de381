-- Counts requests and answers as the proxy reports them, and measures their rates and latency.

local histogram = require "gridcentric.metrics.histogram"
local window = require "gridcentric.metrics.window"

local requests = {}

-- Long enough to smooth single requests, short enough to follow a peak.
local RATE = { span = 10, slots = 10 }
-- In milliseconds; the proxy waits for some minutes at most.
local LATENCY = { least = 1, doubles = 20, span = 30, slots = 10 }
-- Over the same time: answers, and the clones that served when each was given.
local SERVED = { span = 30, slots = 10, counts = 2 }

---@class gridcentric.Requests
---@field classes table<string, integer> answers of "1xx" to "5xx" since the start
---@field latency gridcentric.Histogram in milliseconds
local Requests = { __name = "gridcentric.requests" }
Requests.__index = Requests

---@param now number seconds
---@param nclones? fun(): integer how many clones serve
---@return gridcentric.Requests
function requests.new(now, nclones)
	return setmetatable({
		classes = { ["1xx"] = 0, ["2xx"] = 0, ["3xx"] = 0, ["4xx"] = 0, ["5xx"] = 0 },
		latency = histogram.new(LATENCY, now),
		arrivals = window.new(RATE, now),
		errors = window.new(RATE, now),
		served = window.new(SERVED, now),
		nclones = nclones or function() return 0 end,
	}, Requests)
end

---A request has arrived.
---@param now number
function Requests:arrive(now)
	self.arrivals:add(now)
end

---A request was answered.
---@param now number
---@param status integer
---@param ms number? time until a clone answered; nil if the proxy answered itself
function Requests:answer(now, status, ms)
	local class = ("%dxx"):format(status // 100)
	self.classes[class] = (self.classes[class] or 0) + 1
	if status >= 500 then self.errors:add(now) end
	if not ms then return end
	self.latency:add(now, ms)
	self.served:add(now, 1)
	self.served:add(now, 2, self.nclones())
end

---@param now number
---@return { requests: number, errors: number, latency: gridcentric.Latency }
---@return number? over how many clones the latency was measured, on average; nil: no answer yet
function Requests:measure(now)
	local p50, p95, p99 = self.latency:quantiles(now, 0.5, 0.95, 0.99)
	local answers, nclones = table.unpack(self.served:read(now))
	return {
		requests = self.arrivals:rate(now),
		errors = self.errors:rate(now),
		latency = { p50 = p50 / 1000, p95 = p95 / 1000, p99 = p99 / 1000 },
	}, answers > 0 and nclones / answers or nil
end

return requests
