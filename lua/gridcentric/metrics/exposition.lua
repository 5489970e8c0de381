-- Writes Prometheus' text format, version 0.0.4. Pure.
--
--	exposition.render {
--		{ name = "gridcentric_sessions", type = "gauge", help = "Users.",
--			{ 12 } },
--		{ name = "gridcentric_clones", type = "gauge", help = "Clones by state.",
--			{ 3, { state = "ready" } }, { 1, { state = "starting" } } },
--		{ name = "gridcentric_request_duration_seconds", type = "histogram", help = "...",
--			{ 7, { le = "0.5" }, "_bucket" }, { 9, { le = "+Inf" }, "_bucket" },
--			{ 4.5, nil, "_sum" }, { 9, nil, "_count" } },
--	}

local exposition = {}

exposition.CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

---@class gridcentric.Family
---@field name string
---@field type "counter"|"gauge"|"histogram"
---@field help string
---@field [integer] gridcentric.FamilySample

---@class gridcentric.FamilySample
---@field [1] number
---@field [2] table<string, string|number>? labels
---@field [3] string? suffix of the name

---Writes a number as Prometheus reads it.
---@param value number
---@return string
function exposition.number(value)
	if value ~= value then return "NaN" end
	if value == math.huge then return "+Inf" end
	if value == -math.huge then return "-Inf" end
	local whole = math.tointeger(value)
	return whole and ("%d"):format(whole) or ("%.15g"):format(value)
end

local LABEL_ESCAPES = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

local function label_text(labels)
	if not labels or next(labels) == nil then return "" end
	local names, pairs_ = {}, {}
	for name in pairs(labels) do names[#names + 1] = name end
	table.sort(names)
	for i, name in ipairs(names) do
		pairs_[i] = ('%s="%s"'):format(name, tostring(labels[name]):gsub('[\\"\n]', LABEL_ESCAPES))
	end
	return "{" .. table.concat(pairs_, ",") .. "}"
end

---@param families gridcentric.Family[] families without samples are left out
---@return string
function exposition.render(families)
	local lines = {}
	local function add(...) lines[#lines + 1] = table.concat({ ... }) end
	for _, family in ipairs(families) do
		if #family > 0 then
			add("# HELP ", family.name, " ", (family.help:gsub("[\\\n]", LABEL_ESCAPES)))
			add("# TYPE ", family.name, " ", family.type)
		end
		for _, sample in ipairs(family) do
			add(family.name, sample[3] or "", label_text(sample[2]), " ", exposition.number(sample[1]))
		end
	end
	add ""
	return table.concat(lines, "\n")
end

return exposition
