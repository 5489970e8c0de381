-- What a policy file's key `metrics` may say: metrics of the user's own, each my.NAME in a sample.
--
--	metrics = {
--		load = { url = "http://127.0.0.1:9100/metrics", metric = "node_load1" }, -- asked there
--		jobs = { clones = "/metrics", metric = "jobs", match = { state = "waiting" } }, -- of each
--		busy = { aggregate = "avg" }, -- told by gc.metric("busy", n)
--	}

local aggregate = require "gridcentric.metrics.aggregate"
local host_port = require "gridcentric.util.host_port"
local options = require "gridcentric.util.options"

local keys = {}

---@class gridcentric.MetricOptions
---@field url? gridcentric.HttpTarget as text, "http://127.0.0.1:9100/metrics": asked there
---@field clones? string path: asked at each clone that serves
---@field metric? string the series; needed with url or clones
---@field match? table<string, string> labels that the series must have
---@field aggregate? "sum"|"avg"|"min"|"max" of several values (sum)
---@field every? number seconds (5)
---@field timeout? number seconds (1)

local HTTP_PORT = 80

---A type for options: a URL with a numeric host.
---@return gridcentric.HttpTarget?
---@return string? err
function keys.url(value)
	local place, path = tostring(value):match "^http://([^/%s]+)(/?[^%s#]*)$"
	local is_bare = place and not place:find ":%d+$"
	local address = place and host_port.read(is_bare and place .. ":" .. HTTP_PORT or place)
	if not address then
		return nil, ('a URL as "http://127.0.0.1:9100/metrics", with a numeric host, expected, got %s')
			:format(tostring(value))
	end
	return { host = address.host, port = address.port, path = path ~= "" and path or "/" }
end

local function labels(value)
	if type(value) ~= "table" then return nil, 'labels as { mode = "idle" } expected' end
	for name, wanted in pairs(value) do
		if type(name) ~= "string" or type(wanted) ~= "string" then
			return nil, 'labels as { mode = "idle" } expected'
		end
	end
	return value
end

local METRIC = {
	url = { keys.url },
	clones = { options.text("^/[^%s#]*$", 'a path as "/metrics"') },
	metric = { options.text("^[%a_:][%w_:]*$", "the name of a Prometheus metric") },
	match = { labels, default = {} },
	aggregate = { options.one_of(table.unpack(aggregate.NAMES)), default = "sum" },
	every = { options.number(1, 86400), default = 5 }, -- seconds
	timeout = { options.number(0.01, 60), default = 1 }, -- seconds
}

local function check_metric(name, given)
	if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
		return nil, ("%s: a name of letters, digits and _ expected"):format(tostring(name))
	end
	local entry, err = options.check(METRIC, given)
	if not entry then return nil, ("%s: %s"):format(name, err) end
	if entry.url and entry.clones then
		return nil, ("%s: either url or clones, not both"):format(name)
	end
	local is_scraped = entry.url or entry.clones
	if is_scraped and not entry.metric then return nil, ("%s: metric: missing"):format(name) end
	if entry.metric and not is_scraped then
		return nil, ("%s: metric: only with url or clones"):format(name)
	end
	return entry
end

---A type for options: the whole of `metrics`.
---@param given table<string, gridcentric.MetricOptions>
---@return table<string, gridcentric.MetricOptions>?
---@return string? err
function keys.metrics(given)
	if type(given) ~= "table" then return nil, "a table expected, got " .. tostring(given) end
	local entries = {}
	for name, one in pairs(given) do
		local entry, err = check_metric(name, one)
		if not entry then return nil, err end
		entries[name] = entry
	end
	return entries
end

---A type for options: where /metrics is served.
---@return gridcentric.AdminAddress?
---@return string? err
function keys.admin(value)
	local path = type(value) == "string" and value:match "^unix:(/.+)$"
	if path then return { path = path } end
	local address = host_port.read(value)
	if address then return address end
	return nil, ('an address as "127.0.0.1:9400", or "unix:/path", expected, got %s'):format(
		tostring(value))
end

return keys
