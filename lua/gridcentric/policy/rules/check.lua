-- What the grammar of rules does not see: names that nobody knows, numbers where a condition
-- belongs, units that make no sense.
--
-- In a comparison with a known metric a number needs the unit of that metric: cpu > 80 would never
-- be true.

local calendar = require "gridcentric.policy.text.calendar"
local history = require "gridcentric.policy.rules.history"
local metric = require "gridcentric.policy.metric"
local suggest = require "gridcentric.util.suggest"
local types = require "gridcentric.util.types"
local units = require "gridcentric.util.units"

---@class gridcentric.RuleCheck
---@field places table<table, integer> where the text of each node begins
---@field at integer? of the first mistake
---@field message string?

local function wrong(check, node, message)
	if check.at then return end
	check.at, check.message = check.places[node], message
end

local CONDITION, NUMBER = "a condition", "a number"

-- What other languages call the functions of the past.
local SYNONYMS = { mean = "avg", average = "avg", median = "p50", least = "min", most = "max" }

local IS_LOGIC = { ["and"] = true, ["or"] = true, ["not"] = true }
local IS_ARITHMETIC = { ["+"] = true, ["-"] = true, ["*"] = true, ["/"] = true }
local IS_COMPARISON = {
	["<"] = true, ["<="] = true, [">"] = true, [">="] = true, ["=="] = true, ["~="] = true,
}

-- The name of the metric that is measured, perhaps over its past.
local function measured_metric(node)
	if node.type == "call" and node.name ~= "rate" then node = node.of end
	return node.type == "metric" and metric.find(node.name) and node.name
end

-- Checks a number that the other node is compared with.
local function check_unit(check, number, other)
	local name = number.type == "number" and measured_metric(other)
	local err = name and metric.unit_error(name, number.value, units.kind(number.unit))
	if err then wrong(check, number, err) end
end

local expect

-- Each checks a node and returns what it is.
local CHECKS = {}

function CHECKS.number(check, node)
	local value = node.value * (units.ALL[node.unit] or 1)
	if value == math.huge then wrong(check, node, "the number is too large") end
	return NUMBER
end

function CHECKS.metric(check, node)
	if not metric.find(node.name) then wrong(check, node, metric.unknown(node.name)) end
	return NUMBER
end

function CHECKS.time(check, node)
	local contains, at, message = calendar.parse(node.window)
	if not contains then
		wrong(check, node, ('"%s", column %d: %s'):format(node.window, at, message))
	end
	return CONDITION
end

function CHECKS.call(check, node)
	if not history.find(node.name) then
		wrong(check, node, ("unknown function %s%s"):format(types.show(node.name),
			suggest.hint(history.FUNCTIONS, node.name, SYNONYMS)))
	end
	if node.span.value == 0 then wrong(check, node.span, "a time above 0 expected") end
	expect(check, node.span, NUMBER)
	expect(check, node.of, NUMBER)
	return NUMBER
end

function CHECKS.unary(check, node)
	local kind = IS_LOGIC[node.op] and CONDITION or NUMBER
	expect(check, node.of, kind)
	return kind
end

function CHECKS.binary(check, node)
	local operand = IS_LOGIC[node.op] and CONDITION or NUMBER
	expect(check, node.left, operand)
	expect(check, node.right, operand)
	if IS_COMPARISON[node.op] then
		check_unit(check, node.left, node.right)
		check_unit(check, node.right, node.left)
	end
	return IS_ARITHMETIC[node.op] and NUMBER or CONDITION
end

function expect(check, node, wanted)
	if check.at then return end
	local kind = CHECKS[node.type](check, node)
	if kind == wanted then return end
	local example = wanted == CONDITION and " (as cpu > 80%)" or ""
	wrong(check, node, ("%s%s expected, got %s"):format(wanted, example, kind))
end

local function check_amount(check, rule)
	local amount = rule.amount
	expect(check, amount, NUMBER)
	if amount.type ~= "number" or not amount.unit then return end
	local is_part = units.SHARE[amount.unit] ~= nil
	if is_part and (rule.verb == "up" or rule.verb == "down") then return end
	local hint = is_part and " (a share goes with up and down only)" or ""
	wrong(check, amount, "a number of clones expected" .. hint)
end

local function check_rule(check, rule)
	check_amount(check, rule)
	if rule.when then expect(check, rule.when, CONDITION) end
	if rule.hold then expect(check, rule.hold, NUMBER) end
end

---@param rules gridcentric.Rule[]
---@param places table<table, integer> where the text of each node begins
---@return integer? at of the first mistake
---@return string? message
local function check_rules(rules, places)
	local check = { places = places }
	for _, rule in ipairs(rules) do check_rule(check, rule) end
	return check.at, check.message
end

return check_rules
