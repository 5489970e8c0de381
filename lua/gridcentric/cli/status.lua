-- gcscale status: what runs, and how it is.

local columns = require "gridcentric.cli.columns"
local exit = require "gridcentric.cli.exit"
local json = require "dkjson"
local metric = require "gridcentric.policy.metric"
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

-- A program that clones itself: all that is known are its domains.
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

-- What is measured, as far as it is known.
local function load_line(load)
	local parts = {
		metric.show("requests", load.requests), metric.show("errors", load.errors),
		("latency %s, p95 %s"):format(
			units.show(load.latency.p50, "s"), units.show(load.latency.p95, "s")),
	}
	if load.cpu then parts[#parts + 1] = metric.show("cpu", load.cpu) end
	if load.memory then parts[#parts + 1] = metric.show("memory", load.memory) end
	local own = {}
	for name, value in pairs(load.my) do own[#own + 1] = metric.show("my." .. name, value) end
	table.sort(own)
	return "  " .. table.concat(table.move(own, 1, #own, #parts + 1, parts), ", ")
end

-- How another policy would do; in a dry run, the policy itself.
local function shadow_lines(r)
	local s, last = r.shadow, r.shadow.last
	local name = r.dry_run and "dry run" or "shadow " .. s.name
	local lines = { ("  %s: %d clones%s: %s"):format(name, s.wanted,
		s.differs and (" instead of %d"):format(r.wanted) or ", too", s.reason) }
	if s.limit then lines[#lines + 1] = ("  %s: limit: %s"):format(name, s.limit) end
	if last and not r.dry_run then
		lines[#lines + 1] = ("  %s: differed %d times, last %s ago: %d instead of %d, %s"):format(
			name, s.differences, units.show(last.ago, "s"), last.wanted, last.instead_of, last.reason)
	end
	if s.missing then lines[#lines + 1] = ("  %s: missing: %s"):format(name, s.missing) end
	if s.policy_error then lines[#lines + 1] = ("  %s fails: %s"):format(name, s.policy_error) end
	return lines
end

local function counted(n, noun)
	return ("%d %s%s"):format(n, noun, n == 1 and "" or "s")
end

local function summary(state)
	local r = state.report
	if not r then return { ("%s, engine %d"):format(state.name, state.pid) } end
	local lines = {
		("%s, engine %d: %s on %s, program %s"):format(state.name, state.pid, r.mode, r.listen,
			r.program.runs and "on port " .. r.program.port or "ended, is started anew"),
		("  %s, %s, %d waiting"):format(counted(r.sessions, "session"),
			counted(r.connections, "connection"), r.held),
		load_line(r.load),
		("  %s wanted for %s: %s"):format(counted(r.wanted, "clone"),
			units.show(r.wanted_for, "s"), r.reason),
	}
	if r.limit then lines[#lines + 1] = "  limit: " .. r.limit end
	if r.admin then lines[#lines + 1] = "  metrics at " .. r.admin end
	if r.missing then lines[#lines + 1] = "  missing: " .. r.missing end
	for name, err in pairs(r.metric_errors) do
		lines[#lines + 1] = ("  my.%s cannot be had: %s"):format(name, err)
	end
	if r.policy_error then lines[#lines + 1] = "  the policy fails: " .. r.policy_error end
	local more = r.shadow and shadow_lines(r) or {}
	return table.move(more, 1, #more, #lines + 1, lines)
end

---The lines for one engine.
---@param state gridcentric.EngineState
---@param terminal gridcentric.Terminal
---@return string[]
function status.lines(state, terminal)
	local lines = summary(state)
	for i, line in ipairs(lines) do lines[i] = printable.line(line) end
	lines[1] = terminal.paint("bold", lines[1])
	local titles, rows
	if state.report then
		titles, rows = CLONES, clone_rows(state.report.clones)
	else
		titles, rows = DOMAINS, domain_rows(state.domains)
	end
	if #rows == 0 then return lines end
	local width = terminal.width and terminal.width - 2
	for _, line in ipairs(columns.lay_out(titles, rows, width)) do
		lines[#lines + 1] = "  " .. printable.line(line)
	end
	return lines
end

---@param args { name: string?, json: boolean? }
---@param terminal gridcentric.Terminal
---@return integer exit status
function status.run(args, terminal)
	local states, err = require("gridcentric.cli.engines").states(args.name)
	if not states then return exit.fail(exit.FAILED, err) end
	if args.json then
		print(json.encode(setmetatable(states, { __jsontype = "array" })))
	else
		for i, state in ipairs(states) do
			if i > 1 then print() end
			print(table.concat(status.lines(state, terminal), "\n"))
		end
	end
	if #states > 0 then return exit.OK end
	return exit.fail(exit.NOTHING, args.name and ("no service %s runs"):format(args.name)
		or "nothing runs")
end

return status
