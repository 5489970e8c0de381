-- Reads Prometheus' text format, version 0.0.4, as programs serve it at /metrics.
--
--	local page, err = parser.parse(text)
--	page.samples[1]     { name = "node_cpu_seconds_total", labels = { mode = "idle" }, value = 3.5 }
--	page.families.node_cpu_seconds_total    { type = "counter", help = "Seconds ..." }
--
-- OpenMetrics' exemplars, "# {...} 1", are ignored. Pure.

local lpeg = require "lpeg"

local C, Carg, Cf, Cg, Cmt, Cp, Cs, Ct = lpeg.C, lpeg.Carg, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cp,
	lpeg.Cs, lpeg.Ct
local P, R, S = lpeg.P, lpeg.R, lpeg.S

local parser = {}

---@class gridcentric.Series
---@field name string
---@field labels table<string, string>
---@field value number may be NaN or infinite
---@field time_ms integer? when it was measured, since 1970; few programs give it

---@class gridcentric.MetricsPage
---@field samples gridcentric.Series[] in the order of the text
---@field families table<string, { type: string?, help: string? }>

local BLANK = S " \t"
local EOL = S "\r"^-1 * (P "\n" + -P(1))
local REST = (1 - S "\r\n")^0

-- Demands a pattern. A failure is noted; the one that is furthest in the text is reported.
local function need(pattern, what)
	return pattern + Cmt(Carg(1), function(_, at, failure)
		if at > failure.at then failure.at, failure.expected = at, what end
		return false
	end)
end

local function unescape(escapes)
	return (P "\\" / "") * (S(table.concat(escapes.keys)) / escapes)
end

local IN_LABEL = { n = "\n", ["\\"] = "\\", ['"'] = '"', keys = { "n", "\\", '"' } }
local IN_HELP = { n = "\n", ["\\"] = "\\", keys = { "n", "\\" } }

local letter = R("az", "AZ") + "_"
local metric_name = C((letter + ":") * (letter + ":" + R "09")^0)
local label_name = C(letter * (letter + R "09")^0)
local label_value = '"' * Cs((unescape(IN_LABEL) + (1 - S '"\\\n'))^0)
	* need(P '"', 'the end of a label\'s value, "')
local label = Cg(label_name * BLANK^0 * need(P "=", "=") * BLANK^0
	* need(label_value, 'a label\'s value in "quotes"')) * BLANK^0
local labels = P "{" * BLANK^0
	* Cf(Ct "" * (label * ("," * BLANK^0 * label)^0 * P ","^-1)^-1, rawset)
	* BLANK^0 * need(P "}", "a label or }") + Ct ""

local SPECIAL = { nan = 0 / 0, inf = math.huge, infinity = math.huge }
local function special(sign, word)
	local value = SPECIAL[word:lower()]
	return sign == "-" and -value or value
end
local function any_case(word)
	local pattern = P(true)
	for c in word:gmatch "." do pattern = pattern * S(c .. c:upper()) end
	return pattern
end

local digits = R "09"^1
local decimal = S "+-"^-1 * (digits * ("." * R "09"^0)^-1 + "." * digits)
	* (S "eE" * S "+-"^-1 * digits)^-1
local number = decimal / function(text) return tonumber((text:gsub("^%+", ""))) end
	+ C(S "+-"^-1) * C(any_case "infinity" + any_case "inf" + any_case "nan") / special
local timestamp = (P "-"^-1 * digits) / tonumber
local exemplar = P "#" * REST

local sample = Ct(Cg(metric_name, "name") * BLANK^0 * Cg(labels, "labels") * BLANK^0
	* Cg(need(number, "a number"), "value")
	* (BLANK^1 * Cg(timestamp, "time_ms"))^-1 * (BLANK^1 * exemplar)^-1)

local help = P "HELP" * BLANK^1 * Cg(metric_name, "name") * (BLANK^1
	* Cg(Cs((unescape(IN_HELP) + (1 - S "\r\n"))^0), "help"))^-1
local kinds = P "counter" + "gauge" + "histogram" + "summary" + "untyped" + "unknown"
	+ "gaugehistogram" + "stateset" + "info"
local type_line = P "TYPE" * BLANK^1 * Cg(metric_name, "name") * BLANK^1 * Cg(C(kinds), "type")
-- Other comments are for people.
local comment = P "#" * BLANK^0 * (Ct(help + type_line) * BLANK^0 * #EOL + REST)

-- One line: its content, if any, and where the next line begins.
local line = BLANK^0 * (comment + sample)^-1 * BLANK^0
	* need(EOL, "a metric's name, # or the end of the line") * Cp()

local function describe(text, start, failure)
	local _, number_of = text:sub(1, start - 1):gsub("\n", "")
	local rest = text:sub(failure.at, failure.at + 20):match "^[^\r\n]*"
	return ("line %d: %s expected, got %s"):format(number_of + 1, failure.expected,
		rest == "" and "the end of the line" or ("%q"):format(rest))
end

local function keep(page, entry)
	if entry.value then
		page.samples[#page.samples + 1] = entry
		return
	end
	local family = page.families[entry.name] or {}
	family.type, family.help = entry.type or family.type, entry.help or family.help
	page.families[entry.name] = family
end

---@param text string
---@return gridcentric.MetricsPage?
---@return string? err with the line and what was expected
function parser.parse(text)
	local page = { samples = {}, families = {} }
	local at = 1
	while at <= #text do
		local failure = { at = 0 }
		local entry, after = line:match(text, at, failure)
		if not entry then return nil, describe(text, at, failure) end
		if after then keep(page, entry) end
		at = after or entry
	end
	return page
end

return parser
