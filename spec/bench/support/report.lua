-- The results of one bench: prints them as they come, keeps them for build/bench.json.
--
--	local report = report.new("ticket", "request_ticket() to granted")
--	report:samples("one CPU", samples, { unit = "ms", aim = 0.3 })   median, p99, n
--	report:value("ratio of the medians", 2.1, { aim = 2.5 })
--	report:table({ "RAM", "pause" }, { { "256 MB", "36 ms" } })     many numbers of many things
--	report:note("the memory of both: ...")

local stats = require "spec.bench.support.stats"

local Report = { __name = "bench report" }
Report.__index = Report

local report = {}

---@param name string
---@param title string
function report.new(name, title)
	print(("\n%s: %s"):format(name, title))
	print(("  %-58s %10s %10s %6s  %s"):format("", "median", "p99", "n", "aim"))
	return setmetatable({ name = name, title = title, rows = {}, notes = {} }, Report)
end

---A number with three digits that count, and its unit.
---@param value number
---@param unit string?
---@return string
function report.format(value, unit)
	local size = math.abs(value)
	local pattern = size >= 100 and "%.0f" or size >= 10 and "%.1f" or size >= 1 and "%.2f" or "%.3f"
	return pattern:format(value) .. (unit and " " .. unit or "")
end

local function verdict(row)
	if not row.aim then return "" end
	return ("%s %s: %s"):format(row.at_least and ">=" or "<=", report.format(row.aim, row.unit),
		row.met and "met" or "MISSED")
end

local function add(self, row, options)
	row.unit, row.aim, row.at_least = options.unit, options.aim, options.at_least
	local value = row.median or row.value
	if row.aim and row.at_least then
		row.met = value >= row.aim
	elseif row.aim then
		row.met = value <= row.aim
	end
	table.insert(self.rows, row)
	print((("  %-58s %10s %10s %6s  %s"):format(row.what, report.format(value, row.unit),
		row.p99 and report.format(row.p99, row.unit) or "", row.n or "", verdict(row))
		:gsub("%s+$", "")))
	io.stdout:flush()
	return value
end

---Many measurements; the aim is for their median, which is returned.
---@param what string
---@param samples number[]
---@param options { unit: string?, aim: number?, at_least: boolean? }
---@return number median
function Report:samples(what, samples, options)
	local row = stats.summary(samples)
	row.what = what
	return add(self, row, options)
end

---One number.
function Report:value(what, value, options)
	return add(self, { what = what, value = value }, options or {})
end

---Columns as wide as what is in them, the first to the left; no aims.
---@param titles string[]
---@param rows string[][]
function Report:table(titles, rows)
	local lines, widths = { titles, table.unpack(rows) }, {}
	for _, line in ipairs(lines) do
		for i, cell in ipairs(line) do widths[i] = math.max(widths[i] or 0, #cell) end
	end
	for _, line in ipairs(lines) do
		local cells = {}
		for i, cell in ipairs(line) do
			local gap = (" "):rep(widths[i] - #cell)
			cells[i] = i == 1 and cell .. gap or gap .. cell
		end
		print("  " .. table.concat(cells, "  "))
	end
	self.tables = self.tables or {}
	table.insert(self.tables, { titles = titles, rows = rows })
end

---A line that says under which conditions, or what to make of it.
---@param text string
function Report:note(text)
	table.insert(self.notes, text)
	print("  " .. text)
end

---For the file.
function Report:result()
	return { title = self.title, rows = self.rows, tables = self.tables,
		notes = self.notes, failed = self.failed }
end

return report
