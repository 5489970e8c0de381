-- gcscale replay: plays a trace to one or more policies, and shows the result.

local chart = require "gridcentric.cli.chart.text"
local columns = require "gridcentric.cli.columns"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local plural = require "gridcentric.util.plural"
local policy = require "gridcentric.config.load"
local replay = require "gridcentric.replay"
local steps = require "gridcentric.cli.chart.steps"
local svg = require "gridcentric.cli.chart.svg"
local trace = require "gridcentric.trace"
local uv = require "luv"
local units = require "gridcentric.util.units"

local PROGRESS_NS = 5e8 -- between two lines of progress
local WIDTH = 80 -- where there is no terminal

-- What is shown of a result: the title, and how.
local SHOWN = {
	{ "clone-hours", function(r) return ("%.4g"):format(r.clone_hours) end },
	{ "most clones", function(r) return ("%d"):format(r.most_clones) end },
	{ "too few clones", function(r)
		local percent = r.under_s / r.seconds * 100
		local share = percent > 0 and percent < 0.01 and "< 0.01" or ("%.2f"):format(percent)
		return ("%s (%s%%)"):format(units.show(r.under_s, "s"), share)
	end },
	{ "held", function(r) return ("%d"):format(r.held) end },
	{ "refused", function(r) return ("%d"):format(r.refused) end },
	{ "decisions", function(r) return ("%d"):format(r.decisions) end },
	{ "clones made", function(r) return ("%d"):format(r.made) end },
	{ "clones ended", function(r) return ("%d"):format(r.ended) end },
	{ "denials", function(r) return ("%d"):format(r.denied) end },
}

local function load_policies(paths)
	local policies, seen = {}, {}
	for i, path in ipairs(paths) do
		local p, err = policy.load(path)
		if not p then return nil, err end
		if seen[p.name] then p.name = path end -- copies of one file in several folders
		seen[p.name] = true
		policies[i] = p
	end
	return policies
end

local function open_trace(path)
	local file, err = io.open(path)
	if not file then return nil, err end
	local _, why = file:read(0) -- a folder can be opened
	if not why then return file end
	file:close()
	return nil, ("%s: %s"):format(path, why)
end

local function read_trace(path, has_gaps)
	local file, err = open_trace(path)
	if not file then return nil, err end
	local t, wrong = trace.read(file:lines(), path, has_gaps)
	file:close()
	return t, wrong
end

local function table_lines(results)
	local titles, rows = { { title = " " } }, {}
	for i, result in ipairs(results) do titles[i + 1] = { title = result.name, right = true } end
	for i, shown in ipairs(SHOWN) do
		rows[i] = { shown[1] }
		for j, result in ipairs(results) do rows[i][j + 1] = shown[2](result) end
	end
	return columns.lay_out(titles, rows)
end

local function most_clones(results)
	local most = 1
	for _, result in ipairs(results) do most = math.max(most, result.most_clones) end
	return most
end

local function chart_lines(results, span, terminal)
	local load, most = results[1].load, most_clones(results)
	local panels = { { title = "sessions", steps = load, most = steps.most(load) } }
	for _, result in ipairs(results) do
		panels[#panels + 1] =
			{ title = "clones, " .. result.name, steps = result.clones, most = most }
	end
	return chart.lines {
		panels = panels, from = span.from, to = span.to,
		width = terminal.width or WIDTH, is_unicode = terminal.is_unicode,
	}
end

local function svg_of(results, span, path)
	local titles, series = {}, {}
	for i = 1, 6 do titles[i] = SHOWN[i][1] end
	for i, result in ipairs(results) do
		series[i] = { name = result.name, steps = result.clones, values = {} }
		for j = 1, 6 do series[i].values[j] = SHOWN[j][2](result) end
	end
	return svg.render {
		title = "Replay of " .. path:match "[^/]*$",
		subtitle = ("%s, %s"):format(units.show(span.to - span.from, "s"),
			plural.count(span.rows, "row")),
		from = span.from, to = span.to, load = results[1].load, load_title = "Sessions",
		series = series, titles = titles,
	}
end

local function write(path, text)
	local file, err = io.open(path, "w")
	if not file then return nil, err end
	local ok, wrong = file:write(text)
	if ok then ok, wrong = file:close() end -- a full disk may be noticed only here
	return ok, wrong and ("%s: %s"):format(path, wrong)
end

local function show(results, span, args, terminal)
	if args.json then
		for _, result in ipairs(results) do result.load, result.clones = nil, nil end
		return print(json.encode(json.array(results)))
	end
	print(table.concat(table_lines(results), "\n"))
	print()
	print(table.concat(chart_lines(results, span, terminal), "\n"))
end

-- A policy that failed was played on with its last answer, as it would have been live.
local function report_faults(results)
	for _, result in ipairs(results) do
		for _, name in ipairs(result.not_in_trace) do
			exit.fail(exit.OK, ("%s: %s is not in this trace"):format(result.name, name))
		end
		if result.faults > 0 then
			local ended = result.fault_ended and ("%.10g"):format(result.fault_ended) or "the end"
			exit.fail(exit.OK, ("%s failed %s, the last time from second %.10g to %s: %s"):format(
				result.name, plural.times(result.faults), result.fault_began, ended, result.fault))
		end
	end
end

-- On a terminal a line on stderr says how far a long replay has come. A call without arguments
-- removes it.
local function new_progress()
	local is_terminal = uv.guess_handle(2) == "tty"
	local shown_at, is_shown = uv.hrtime(), false
	return function(name, share)
		if not is_terminal or not name and not is_shown then return end
		if not name then return io.stderr:write "\r\27[K" end
		if uv.hrtime() - shown_at < PROGRESS_NS then return end
		shown_at, is_shown = uv.hrtime(), true
		io.stderr:write(("\r\27[K%s: %.0f%% replayed"):format(name, share * 100))
	end
end

---@class gridcentric.ReplayArguments: gridcentric.ReplayOptions
---@field policy string
---@field trace string
---@field others string[]
---@field svg string?
---@field json boolean?
---@field gaps boolean?

---@param args gridcentric.ReplayArguments
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	local policies, wrong = load_policies { args.policy, table.unpack(args.others) }
	if not policies then return exit.fail(exit.POLICY, wrong) end
	local t, err = read_trace(args.trace, args.gaps)
	if not t then return exit.fail(exit.FAILED, err) end
	local results = {}
	local show_progress = new_progress()
	for i, p in ipairs(policies) do
		results[i] = replay.play(p, t, args, nil, function(share) show_progress(p.name, share) end)
	end
	show_progress()
	local span = { from = t.at[1], to = t.at[t.n] + 1, rows = t.n }
	if args.svg then
		local ok, failure = write(args.svg, svg_of(results, span, args.trace))
		if not ok then return exit.fail(exit.FAILED, failure) end
	end
	show(results, span, args, terminal)
	report_faults(results)
	return exit.OK
end
