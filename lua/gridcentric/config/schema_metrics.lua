-- The keys `metrics` and `admin` of a policy file. An entry of `metrics` is one of the user's own
-- metrics, my.NAME in a sample:
--
--	metrics = {
--		load = { url = "http://127.0.0.1:9100/metrics", metric = "node_load1" }, -- fetched there
--		jobs = { clones = "/metrics", metric = "jobs", match = { state = "waiting" } }, -- from each
--		busy = { aggregate = "avg" }, -- reported by gc.metric("busy", n)
--	}

local aggregate = require "gridcentric.metrics.aggregate"
local host_port = require "gridcentric.util.host_port"
local options = require "gridcentric.util.options"
local printable = require "gridcentric.util.printable"
local types = require "gridcentric.util.types"

local schema = {}

---An entry of `metrics` after it was checked.
---@class gridcentric.MetricOptions
---@field url? gridcentric.HttpTarget
---@field clones? string path, fetched from each clone that serves
---@field metric? string the series
---@field match table<string, string> labels that the series must have
---@field aggregate "sum"|"avg"|"min"|"max"
---@field every number seconds
---@field timeout number seconds

local HTTP_PORT = 80

local function read_url(value)
	local place, path = tostring(value):match "^http://([^/%s]+)(/?[^%s#]*)$"
	local is_bare = place and not place:find ":%d+$"
	local address = place and host_port.read(is_bare and place .. ":" .. HTTP_PORT or place)
	if not address then
		return types.mismatch(
			'a URL such as "http://127.0.0.1:9100/metrics", with a numeric host,', value)
	end
	return { host = address.host, port = address.port, path = path ~= "" and path or "/" }
end

---A URL with a numeric host; becomes a gridcentric.HttpTarget.
schema.url = types.new("URL", "string", function(value)
	if type(value) == "string" then return read_url(value) end
	return types.mismatch("a URL", value)
end)

local LABELS = 'labels such as { mode = "idle" }'

local labels = types.new("table", "table<string, string>", function(value)
	local fields, err = options.fields(value)
	if not fields then return nil, err end
	for name, wanted in pairs(fields) do
		if type(name) ~= "string" or type(wanted) ~= "string" then
			return nil, LABELS .. " expected"
		end
	end
	return fields
end)

schema.METRIC = options.schema {
	{ "url", schema.url, unset = "none",
		text = "A page in Prometheus' text format, for example `http://127.0.0.1:9100/metrics`.",
		more = "The host is a numeric address or `localhost`." },
	{ "clones", types.text("^/[^%s#]*$", 'a path such as "/metrics"'), unset = "none",
		text = "The path of such a page that each clone serves, for example `/metrics`.",
		more = "It is fetched from the clone's own address, not through the proxy.",
		synonyms = { "path" } },
	{ "metric", types.text("^[%a_:][%w_:]*$", "the name of a Prometheus metric"),
		unset = "required with url or clones",
		text = "The name of the metric on that page.", synonyms = { "series", "name" } },
	{ "match", labels, default = {},
		text = 'Labels that a series must have, for example `{ mode = "idle" }`.',
		synonyms = { "labels" } },
	{ "aggregate", types.one_of(table.unpack(aggregate.NAMES)), default = "sum",
		text = "How several values become one." },
	{ "every", types.seconds(1, 86400), default = 5, text = "Time between two fetches.",
		more = "The clones take turns within that time.", synonyms = { "interval", "period" } },
	{ "timeout", types.seconds(0.01, 60), default = 1,
		text = "Time within which the page, of 1 MB at most, must have arrived." },
}

local function check_metric(name, given)
	if type(name) ~= "string" or not name:find "^[%a_][%w_]*$" then
		return nil, ("%s: a name of letters, digits and _ expected"):format(
			type(name) == "string" and printable.line(name:sub(1, 40)) or types.show(name))
	end
	local entry, err = options.check(schema.METRIC, given)
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

---The whole of `metrics`: becomes a table<string, gridcentric.MetricOptions>.
schema.metrics = types.new("table", "table<string, gridcentric.MetricKeys>", function(given)
	local fields, wrong = options.fields(given)
	if not fields then return nil, wrong end
	local names, entries = {}, {}
	for name in pairs(fields) do names[#names + 1] = name end
	table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
	for _, name in ipairs(names) do
		local entry, err = check_metric(name, fields[name])
		if not entry then return nil, err end
		entries[name] = entry
	end
	return entries
end)

---Where /metrics is served: becomes a gridcentric.AdminAddress.
schema.admin = types.new('address or "unix:/path"', "string|integer", function(value)
	local path = type(value) == "string" and value:match "^unix:(/.+)$"
	if path then return { path = path } end
	local address = host_port.read(value)
	if address then return address end
	return types.mismatch('an address such as "127.0.0.1:9400", or "unix:/path",', value)
end)

return schema
