-- What /metrics shows of a service. How to add a family: a line or function here, and a line in
-- gcscale-policy(5).

local version = require "gridcentric.version"

local families = {}

local function family(name, type, help, ...)
	return { name = "gridcentric_" .. name, type = type, help = help, ... }
end

local function gauge(name, help, value)
	return family(name, "gauge", help, value and { value })
end

local function counter(name, help, value)
	return family(name, "counter", help, { value })
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
		"Time from a request's way to a clone to the head of its response.")
	for _, bucket in ipairs(latency:cumulative()) do
		result[#result + 1] = { bucket.count, { le = bucket.bound / 1000 }, "_bucket" }
	end
	table.insert(result, { latency.count, { le = "+Inf" }, "_bucket" })
	table.insert(result, { latency.sum / 1000, nil, "_sum" })
	table.insert(result, { latency.count, nil, "_count" })
	return result
end

local function of_requests(traffic, requests)
	local n = traffic.counters
	return {
		counter("requests_total", "Requests that have come.", n.requests),
		labelled("responses_total", "counter", "Requests that were answered, by class of status.",
			"class", requests.classes),
		request_durations(requests.latency),
		counter("retries_total", "Requests that were tried on another clone.", n.retried),
		labelled("refused_total", "counter", "Requests, or in tcp mode connections, refused.",
			"reason", traffic.refusals),
		counter("held_total", "Requests or connections that had to wait for a clone.", n.held),
	}
end

local function of_users(traffic)
	local n = traffic.counters
	return {
		gauge("sessions", "Users that count.", traffic.sessions.count),
		counter("sessions_total", "Sessions that have begun.", n.sessions),
		gauge("connections", "Open connections of clients.", traffic.connections),
		counter("connections_total", "Connections of clients that have come.", n.connections),
		gauge("held_connections", "Connections that wait for a clone.", traffic.held.length),
		labelled("unknown_cookies_total", "counter",
			"Requests with a session's cookie that is over (stale), or was not made here (forged).",
			"kind", { stale = n.stale_cookies, forged = n.forged_cookies }),
	}
end

local function of_clones(c)
	local clones, n = c.fleet.pool, c.fleet.counters
	return {
		labelled("clones", "gauge", "Clones by state.", "state", {
			planned = #clones.coming - clones.starting,
			starting = clones.starting,
			ready = #clones.ready,
			draining = #clones.draining,
		}),
		gauge("clones_desired", "Clones that the policy wants.", c.running.desired),
		gauge("clones_wanted", "The same, within bounds.", c.decisions.wanted),
		counter("clones_made_total", "Clones that were ready.", n.made),
		counter("clones_failed_total", "Clones that could not be made.", n.failed),
		counter("clones_died_total", "Clones that ended unasked.", n.died),
	}
end

local function of_decisions(c)
	local n = c.running.counters
	return {
		counter("decisions_total", "Times that the policy was asked.", n.decisions),
		counter("policy_errors_total", "Times that it failed.", n.policy_errors),
		gauge("metric_missing", "1 while the policy lacks a metric.", c.running.missing and 1 or 0),
		counter("denials_total", "Times that no clone, or too few, were granted.",
			c.fleet.counters.denied),
		counter("engine_losses_total", "Times that the engine ended and was started anew.",
			c.counters.engine_losses),
		counter("program_starts_total", "Times that the program was started.", c.program.starts),
		gauge("program_up", "1 while the program runs, and can be cloned.", c.program:runs() and 1 or 0),
	}
end

-- One sample for each clone of which the value is known.
local function of_each(name, help, clones, key)
	local result = family(name, "gauge", help)
	for _, clone in ipairs(clones) do
		if clone[key] then result[#result + 1] = { clone[key], { vmid = clone.vmid } } end
	end
	return result
end

local function of_usage(c, sample)
	local ready = c.fleet.pool.ready
	return {
		of_each("clone_cpu_cores", "Busy share of one core.", ready, "cpu"),
		of_each("clone_memory_bytes", "Memory that is shared with no other process.", ready, "memory"),
		of_each("clone_connections", "Connections that it serves or that wait for it.", ready,
			"connections"),
		gauge("program_heap_bytes", "Lua heap of the program.", sample.heap),
		labelled("own_metric", "gauge", "Metrics of the user's own.", "name", sample.my),
		labelled("scrape_failures_total", "counter", "Times that such a metric could not be had.",
			"name", c.metrics:failures()),
	}
end

---@param c gridcentric.Controller
---@return gridcentric.Family[]
function families.of(c)
	local all = {
		family("build_info", "gauge", "The version.",
			{ 1, { version = version, lua = _VERSION:match "[%d.]+" } }),
	}
	local parts = {
		of_requests(c.traffic, c.metrics.requests), of_users(c.traffic), of_clones(c), of_decisions(c),
		of_usage(c, c.sample()),
	}
	for _, part in ipairs(parts) do table.move(part, 1, #part, #all + 1, all) end
	return all
end

return families
