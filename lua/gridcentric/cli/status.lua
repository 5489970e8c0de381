-- gcscale status: what is running, and how it is.

local columns = require "gridcentric.cli.columns"
local engines = require "gridcentric.cli.engines"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local metric = require "gridcentric.policy.metric"
local plural = require "gridcentric.util.plural"
local printable = require "gridcentric.util.printable"
local units = require "gridcentric.util.units"

local status = {}

local CLONES = {
	{ title = "CLONE", right = true }, { title = "STATE" }, { title = "FOR", right = true },
	{ title = "ADDRESS" }, { title = "PID", right = true }, { title = "SESSIONS", right = true },
	{ title = "CONNECTIONS", right = true }, { title = "CPU", right = true },
	{ title = "MEMORY", right = true },
}
local DOMAINS = {
	{ title = "DOMAIN", right = true }, { title = "STATE" }, { title = "PID", right = true },
	{ title = "HOST" }, { title = "ENDPOINTS" },
}

-- Tables ------------------------------------------------------------------------------------------

local function clone_rows(clones)
	local rows = {}
	for i, clone in ipairs(clones) do
		rows[i] = {
			tostring(clone.vmid or ""), clone.state, units.show(clone.age, "s"), clone.address or "",
			tostring(clone.pid or ""), tostring(clone.sessions), tostring(clone.connections),
			clone.cpu and units.show(clone.cpu, "%") or "",
			clone.memory and units.show(clone.memory, "B") or "",
		}
	end
	return rows
end

-- Of a program that clones itself, only the domains are known.
local function domain_rows(domains)
	local rows = {}
	for i, domain in ipairs(domains) do
		local endpoints = {}
		for _, address in pairs(domain.endpoints) do endpoints[#endpoints + 1] = address end
		table.sort(endpoints)
		rows[i] = {
			tostring(domain.vmid), domain.state, tostring(domain.pid), domain.host,
			table.concat(endpoints, " "),
		}
	end
	return rows
end

-- The lines above them ----------------------------------------------------------------------------

-- "latency 10 ms, p95 200 ms", where there was a request to be measured.
local function add_latency(parts, latency)
	if latency.p50 == 0 and latency.p95 == 0 then return end
	parts[#parts + 1] = ("latency %s, p95 %s"):format(
		units.show(latency.p50, "s"), units.show(latency.p95, "s"))
end

-- What is measured, as far as it is known.
local function load_line(load)
	local parts = { metric.show("requests", load.requests), metric.show("errors", load.errors) }
	add_latency(parts, load.latency)
	if load.cpu then parts[#parts + 1] = metric.show("cpu", load.cpu) end
	if load.memory then parts[#parts + 1] = metric.show("memory", load.memory) end
	local own = {}
	for name, value in pairs(load.my) do own[#own + 1] = metric.show("my." .. name, value) end
	table.sort(own)
	return "  " .. table.concat(table.move(own, 1, #own, #parts + 1, parts), ", ")
end

-- What another policy would do; in a dry run, the policy itself.
local function shadow_lines(r)
	local s, last = r.shadow, r.shadow.last
	local name = r.dry_run and "dry run" or "shadow " .. s.name
	local lines = { ("  %s: %s%s: %s"):format(name, plural.count(s.wanted, "clone"),
		s.differs and (" instead of %d"):format(r.wanted) or " as well", s.reason) }
	if s.limit then lines[#lines + 1] = ("  %s: limit: %s"):format(name, s.limit) end
	if last and not r.dry_run then
		lines[#lines + 1] = ("  %s: differed %s, last %s ago: %d instead of %d, %s"):format(name,
			plural.times(s.differences), units.show(last.ago, "s"), last.wanted, last.instead_of,
			last.reason)
	end
	if s.missing then lines[#lines + 1] = ("  %s: missing: %s"):format(name, s.missing) end
	if s.policy_error then lines[#lines + 1] = ("  %s fails: %s"):format(name, s.policy_error) end
	return lines
end

local function add_troubles(lines, r)
	if r.missing then lines[#lines + 1] = "  missing: " .. r.missing end
	local names = {}
	for name in pairs(r.metric_errors) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do
		lines[#lines + 1] = ("  my.%s is unavailable: %s"):format(name, r.metric_errors[name])
	end
	if r.policy_error then lines[#lines + 1] = "  the policy fails: " .. r.policy_error end
end

local function report_lines(state, r)
	local lines = {
		("%s, engine %d: %s on %s, program %s"):format(state.name, state.pid, r.mode, r.listen,
			r.program.runs and "on port " .. r.program.port or "ended, is being started again"),
		("  %s, %s, %d waiting"):format(plural.count(r.sessions, "session"),
			plural.count(r.connections, "connection"), r.held),
		load_line(r.load),
		("  %s wanted for %s: %s"):format(plural.count(r.wanted, "clone"),
			units.show(r.wanted_for, "s"), r.reason),
	}
	if r.limit then lines[#lines + 1] = "  limit: " .. r.limit end
	if r.admin then lines[#lines + 1] = "  metrics at " .. r.admin end
	add_troubles(lines, r)
	local more = r.shadow and shadow_lines(r) or {}
	return table.move(more, 1, #more, #lines + 1, lines)
end

local function summary(state)
	local text = ("%s, engine %d"):format(state.name, state.pid)
	if state.error then return { ("%s: %s"):format(text, state.error) } end
	return state.report and report_lines(state, state.report) or { text }
end

---The lines for one engine.
---@param state gridcentric.EngineState
---@param terminal gridcentric.Terminal
---@return string[]
function status.lines(state, terminal)
	local lines = summary(state)
	for i, line in ipairs(lines) do lines[i] = printable.line(line) end
	lines[1] = terminal.paint("bold", lines[1])
	local titles, rows = DOMAINS, domain_rows(state.domains or {})
	if state.report then titles, rows = CLONES, clone_rows(state.report.clones) end
	if #rows == 0 then return lines end
	local width = terminal.width and terminal.width - 2
	for _, line in ipairs(columns.lay_out(titles, rows, width)) do
		lines[#lines + 1] = "  " .. printable.line(line)
	end
	return lines
end

local function show(states, args, terminal)
	if args.json then return print(json.encode(json.array(states))) end
	for i, state in ipairs(states) do
		if i > 1 then print() end
		print(table.concat(status.lines(state, terminal), "\n"))
	end
end

---@param args { name: string?, json: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
function status.run(args, terminal)
	local states, err = engines.states(args.name)
	if not states then return exit.fail(exit.FAILED, err) end
	show(states, args, terminal)
	if #states == 0 then return exit.fail(exit.NOTHING, engines.none(args.name)) end
	local status_code = exit.OK
	for _, state in ipairs(states) do
		if state.error then
			local text = ("%s-%d: %s"):format(state.name, state.pid, state.error)
			status_code = exit.fail(exit.FAILED, text)
		end
	end
	return status_code
end

return status
