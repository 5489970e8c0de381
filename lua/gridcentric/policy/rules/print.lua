-- Writes rules: parsing what is printed gives the same tree.

local printer = {}

---The operators, and how strongly they bind; the weakest has 1.
printer.OPERATORS = {
	["or"] = 1,
	["and"] = 2,
	["not"] = 3,
	["<"] = 4, ["<="] = 4, [">"] = 4, [">="] = 4, ["=="] = 4, ["~="] = 4,
	["+"] = 5, ["-"] = 5,
	["*"] = 6, ["/"] = 6,
}
local COMPARISON, MINUS, VALUE = 4, 7, 8

local expression

local function number(node)
	local digits = ("%.14g"):format(node.value)
	if tonumber(digits) ~= node.value then digits = ("%.17g"):format(node.value) end
	return digits .. (node.unit or "")
end

-- Each returns the text of a node and how strongly its operator binds.
local WRITERS = {}

function WRITERS.number(node) return number(node), VALUE end

function WRITERS.metric(node) return node.name, VALUE end

function WRITERS.time(node)
	local quote = node.window:find('"', 1, true) and "'" or '"'
	return ("time in %s%s%s"):format(quote, node.window, quote), VALUE
end

function WRITERS.call(node)
	return ("%s(%s, %s)"):format(node.name, expression(node.of, 1), number(node.span)), VALUE
end

function WRITERS.unary(node)
	if node.op == "-" then return "-" .. expression(node.of, VALUE), MINUS end
	local level = printer.OPERATORS["not"]
	return "not " .. expression(node.of, level + 1), level
end

function WRITERS.binary(node)
	local level = printer.OPERATORS[node.op]
	-- of equal operators the left one comes first; comparisons stand alone
	local left = expression(node.left, level == COMPARISON and level + 1 or level)
	return ("%s %s %s"):format(left, node.op, expression(node.right, level + 1)), level
end

-- The text of a node where at least `level` is needed.
function expression(node, level)
	local text, own = WRITERS[node.type](node)
	return own < level and ("(%s)"):format(text) or text
end

---@param node gridcentric.RuleNode
---@return string
function printer.expression(node)
	return expression(node, 1)
end

---@param rule gridcentric.Rule
---@return string # one line
function printer.rule(rule)
	local head = ("%s %s"):format(rule.verb, expression(rule.amount, 1))
	if not rule.when then return head .. " always" end
	local hold = rule.hold and " for " .. number(rule.hold) or ""
	return ("%s when %s%s"):format(head, expression(rule.when, 1), hold)
end

---@param rules gridcentric.Rule[]
---@return string # a line for each
function printer.rules(rules)
	local lines = {}
	for i, rule in ipairs(rules) do lines[i] = printer.rule(rule) end
	return table.concat(lines, "\n")
end

return printer
