-- Fetches metrics of the user's own by HTTP, in Prometheus' text format: from one place, or from
-- each clone.
--
--	local scraper = scraper.new { metrics = policy.metrics, fetch = http_get, ... }
--	scraper:step()                each second: starts the fetches that are due
--	scraper:measure()             { queue_depth = 12 }
--
-- Metrics from the same place at the same pace come with one request. Clones take turns within the
-- time between two requests. An answer is valid for three times that; a metric without a valid
-- answer has failed, and measure() leaves it out. Without any clone to ask, a metric is 0.

local aggregate = require "gridcentric.metrics.aggregate"
local parser = require "gridcentric.metrics.exposition_parser"

local scraper = {}

local GOOD_FOR = 3 -- times `every`

---@class gridcentric.ScraperOptions
---@field metrics table<string, gridcentric.MetricOptions>
---@field fetch fun(target: gridcentric.HttpTarget, limits: table, callback: function): fun()
---@field clones fun(): gridcentric.Clone[] those that serve
---@field now fun(): number seconds

---@class gridcentric.Scraper: gridcentric.ScraperOptions
---@field failures table<string, integer> of each metric, since the start
---@field errors table<string, string> of each metric whose last request failed
local Scraper = { __name = "gridcentric.scraper" }
Scraper.__index = Scraper

-- Metrics with the same key come with one request.
local function source_key(entry)
	local place = entry.clones or ("%s %d %s"):format(entry.url.host, entry.url.port, entry.url.path)
	return ("%s %g %g"):format(place, entry.every, entry.timeout)
end

local function add_source(self, name, entry)
	local key = source_key(entry)
	local source = self.by_key[key]
	if not source then
		source = {
			url = entry.url, path = entry.clones, every = entry.every, timeout = entry.timeout,
			metrics = {},
			asked = setmetatable({}, { __mode = "k" }), -- place -> when
			answers = setmetatable({}, { __mode = "k" }), -- place -> { at =, [name] = values }
			busy = {}, -- place -> function that cancels the request
		}
		self.by_key[key] = source
		table.insert(self.sources, source)
	end
	source.metrics[name] = entry
	self.failures[name] = 0
end

---@param o gridcentric.ScraperOptions
---@return gridcentric.Scraper
function scraper.new(o)
	local self = setmetatable({
		fetch = o.fetch, clones = o.clones, now = o.now,
		sources = {}, by_key = {}, failures = {}, errors = {},
	}, Scraper)
	for name, entry in pairs(o.metrics) do
		if entry.url or entry.clones then add_source(self, name, entry) end
	end
	return self
end

local function fail(self, name, err)
	self.failures[name] = self.failures[name] + 1
	self.errors[name] = err
end

local function fits(series, entry)
	if series.name ~= entry.metric then return false end
	for label, wanted in pairs(entry.match) do
		if series.labels[label] ~= wanted then return false end
	end
	return true
end

local function is_finite(value)
	return value - value == 0
end

-- "queue_depth is NaN".
local function not_finite(series)
	local shown = series.value ~= series.value and "NaN"
		or series.value > 0 and "infinite" or "negative infinite"
	return ("%s is %s"):format(series.name, shown)
end

-- The values of a metric; none, and why, if there is none or one that is no number.
local function select_values(page, entry)
	local values = {}
	for _, series in ipairs(page.samples) do
		if fits(series, entry) then
			if not is_finite(series.value) then return {}, not_finite(series) end
			values[#values + 1] = series.value
		end
	end
	if #values == 0 then return {}, "the answer has no such series: " .. entry.metric end
	return values
end

local function take_page(self, source, place, page)
	local answer = { at = self.now(), nclones = #self.clones() }
	for name, entry in pairs(source.metrics) do
		local err
		answer[name], err = select_values(page, entry)
		if err then fail(self, name, err) else self.errors[name] = nil end
	end
	source.answers[place] = answer
end

local function on_answer(self, source, place, body, err)
	source.busy[place] = nil
	local page
	if body then page, err = parser.parse(body) end
	if page then return take_page(self, source, place, page) end
	for name in pairs(source.metrics) do fail(self, name, err) end
end

local function ask(self, source, place)
	local host, port = place.ip or place.host, place.port
	local path = source.path or place.path
	source.asked[place] = self.now()
	source.busy[place] = self.fetch({ host = host, port = port, path = path },
		{ timeout = source.timeout },
		function(body, err) on_answer(self, source, place, body, err) end)
end

-- The places to ask for a source's metrics: its URL, or the clones.
local function places(self, source)
	return source.url and { source.url } or self.clones()
end

---Starts the fetches that are due; to be called about once a second.
function Scraper:step()
	local now = self.now()
	for _, source in ipairs(self.sources) do
		local all = places(self, source)
		local left = math.ceil(#all / source.every)
		for _, place in ipairs(all) do
			local asked = source.asked[place]
			local is_due = not source.busy[place] and (not asked or now - asked >= source.every)
			if is_due and left > 0 then
				left = left - 1
				ask(self, source, place)
			end
		end
	end
end

-- One number for what all places have answered, and how many clones it is of.
local function measure(self, source, name, entry)
	local all, values, nclones = places(self, source), {}, 0
	if #all == 0 then return 0, 0 end
	local oldest = self.now() - GOOD_FOR * source.every
	for _, place in ipairs(all) do
		local answer = source.answers[place]
		local fresh = answer and answer.at >= oldest and answer[name] or {}
		table.move(fresh, 1, #fresh, #values + 1, values)
		if #fresh > 0 then nclones = nclones + (source.url and answer.nclones or 1) end
	end
	return aggregate.of(entry.aggregate, values), nclones
end

---@return table<string, number> # without those that have failed
---@return table<string, integer> over how many clones each was measured
function Scraper:measure()
	local measured, over = {}, {}
	for _, source in ipairs(self.sources) do
		for name, entry in pairs(source.metrics) do
			measured[name], over[name] = measure(self, source, name, entry)
		end
	end
	return measured, over
end

---Cancels fetches under way.
function Scraper:close()
	for _, source in ipairs(self.sources) do
		for place, cancel in pairs(source.busy) do
			source.busy[place] = nil
			cancel()
		end
	end
end

return scraper
