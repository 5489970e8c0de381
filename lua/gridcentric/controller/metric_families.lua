-- What /metrics shows of a service: what its report says, and what was measured of its requests.
--
-- How to add a counter: count it in the report's `counters`, and add a line to COUNTERS. A metric
-- of metrics/registry.lua that has a `gauge` is shown without a line here.

local registry = require "gridcentric.metrics.registry"
local version = require "gridcentric.version"

local families = {}

-- { name at /metrics, name in the report, help }
local COUNTERS = {
	{ "requests_total", "requests", "Requests that have arrived." },
	{ "retries_total", "retried", "Requests that were tried again on another clone." },
	{ "held_total", "held", "Requests, or in tcp mode connections, that had to wait for a clone." },
	{ "sessions_total", "sessions", "Sessions that have begun." },
	{ "connections_total", "connections", "Connections of clients that have been accepted." },
	{ "clones_made_total", "made", "Clones that became ready." },
	{ "clones_failed_total", "failed", "Clones that could not be made." },
	{ "clones_died_total", "died", "Clones that ended unasked." },
	{ "clones_ejected_total", "ejected", "Times that an unhealthy clone was ejected." },
	{ "clones_drained_total", "drained", "Clones that were drained before they ended." },
	{ "connections_cut_total", "cut", "Connections cut because a clone had to end." },
	{ "checks_failed_total", "checks_failed", "Health checks that failed." },
	{ "denials_total", "denied", "Times that fewer clones were granted than wanted." },
	{ "decisions_total", "decisions", "Times that the policy was asked." },
	{ "policy_errors_total", "policy_errors", "Times that the policy failed." },
	{ "engine_losses_total", "engine_losses", "Times that the engine ended and was restarted." },
	{ "program_starts_total", "program_starts", "Times that the program was started." },
}

local STATES = { "planned", "starting", "ready", "ejected", "draining", "ending" }

local function family(name, type, help, ...)
	return { name = "gridcentric_" .. name, type = type, help = help, ... }
end

local function gauge(name, help, value)
	return family(name, "gauge", help, value and { value })
end

-- One sample for each entry of a table, whose key becomes a label.
local function labelled(name, type, help, label, values)
	local result, keys = family(name, type, help), {}
	for key in pairs(values) do keys[#keys + 1] = key end
	table.sort(keys)
	for i, key in ipairs(keys) do result[i] = { values[key], { [label] = key } } end
	return result
end

local function request_durations(latency)
	local result = family("request_duration_seconds", "histogram",
		"Time from sending a request to a clone to the head of its response.")
	for _, bucket in ipairs(latency:cumulative()) do
		result[#result + 1] = { bucket.count, { le = bucket.bound / 1000 }, "_bucket" }
	end
	table.insert(result, { latency.count, { le = "+Inf" }, "_bucket" })
	table.insert(result, { latency.sum / 1000, nil, "_sum" })
	table.insert(result, { latency.count, nil, "_count" })
	return result
end

-- How many clones there are in each state, also where there are none.
local function by_state(clones)
	local counts = {}
	for _, state in ipairs(STATES) do counts[state] = 0 end
	for _, clone in ipairs(clones) do counts[clone.state] = (counts[clone.state] or 0) + 1 end
	return counts
end

-- One sample for each clone of which the value is known.
local function of_each(name, help, clones, key)
	local result = family(name, "gauge", help)
	for _, clone in ipairs(clones) do
		if clone.vmid and clone[key] then
			result[#result + 1] = { clone[key], { vmid = clone.vmid } }
		end
	end
	return result
end

local function of_counters(report)
	local found = {}
	for i, row in ipairs(COUNTERS) do
		found[i] = family(row[1], "counter", row[3], { report.counters[row[2]] })
	end
	return found
end

local function of_registry(report)
	local found = {}
	for _, entry in ipairs(registry.LIST) do
		if entry.gauge then
			found[#found + 1] = gauge(entry.gauge, entry.text, registry.reader(entry.name)(report.load))
		end
	end
	return found
end

local function of_state(report)
	return {
		family("build_info", "gauge", "The version.",
			{ 1, { version = version, lua = _VERSION:match "[%d.]+" } }),
		labelled("clones", "gauge", "Clones by state.", "state", by_state(report.clones)),
		gauge("clones_desired", "Clones that the policy wants.", report.desired),
		gauge("clones_wanted", "The same within the bounds of the plan.", report.wanted),
		gauge("metric_missing", "1 while the policy lacks a metric.", report.missing and 1 or 0),
		gauge("program_up", "1 while the program runs and can be cloned.",
			report.program.runs and 1 or 0),
	}
end

local function of_requests(report, metrics)
	local n = report.counters
	return {
		labelled("responses_total", "counter", "Requests that were answered, by class of status.",
			"class", metrics.requests.classes),
		request_durations(metrics.requests.latency),
		labelled("refused_total", "counter", "Requests, or in tcp mode connections, refused.",
			"reason", report.refusals),
		labelled("unknown_cookies_total", "counter",
			"Requests with the cookie of a session that is over (stale), or was not made here (forged).",
			"kind", { stale = n.stale_cookies, forged = n.forged_cookies }),
	}
end

local function of_usage(report, metrics)
	local clones = report.clones
	return {
		of_each("clone_cpu_cores", "Busy share of one core.", clones, "cpu"),
		of_each("clone_memory_bytes", "Memory shared with no other process.", clones, "memory"),
		of_each("clone_connections", "Connections that it serves or that wait for it.", clones,
			"connections"),
		labelled("own_metric", "gauge", "Metrics of the user's own.", "name", report.load.my),
		labelled("scrape_failures_total", "counter", "Failed fetches of such a metric.", "name",
			metrics:failures()),
	}
end

---@param report gridcentric.Report
---@param metrics gridcentric.Metrics
---@return gridcentric.Family[]
function families.of(report, metrics)
	local all = {}
	for _, part in ipairs {
		of_state(report), of_registry(report), of_counters(report), of_requests(report, metrics),
		of_usage(report, metrics),
	} do
		table.move(part, 1, #part, #all + 1, all)
	end
	return all
end

return families
