-- Turns the tree of a rule into closures.
--
-- A closure gets a gridcentric.RuleContext and returns a number or a boolean, or nil if a metric is
-- missing. Logic has three values: "held > 0 or cpu > 80%" is true with a held connection even if
-- cpu is missing.

local calendar = require "gridcentric.policy.text.calendar"
local history = require "gridcentric.policy.rules.history"
local metric = require "gridcentric.policy.metric"
local printer = require "gridcentric.policy.rules.print"
local units = require "gridcentric.util.units"

local compile = {}

---What closures see of one decision.
---@class gridcentric.RuleContext
---@field now number
---@field sample gridcentric.Sample
---@field there integer clones that serve or come
---@field slices table<string, gridcentric.HistorySlice[]> by what is remembered
---@field missing string? the metric that was missing last
---@field unknown string? the first metric for want of which a rule could not be judged

---Something whose past is remembered.
---@class gridcentric.RuleMemory
---@field key string
---@field shape gridcentric.HistoryShape
---@field value fun(context: gridcentric.RuleContext): number?

local function arithmetic(apply)
	return function(left, right)
		return function(context)
			local a, b = left(context), right(context)
			return a and b and apply(a, b)
		end
	end
end

local function comparison(holds)
	return function(left, right)
		return function(context)
			local a, b = left(context), right(context)
			if a == nil or b == nil then return nil end
			return holds(a, b)
		end
	end
end

-- A connective of conditions that one value of either decides.
local function connective(deciding)
	return function(left, right)
		return function(context)
			local a = left(context)
			if a == deciding then return deciding end
			local b = right(context)
			if b == deciding then return deciding end
			if a == nil or b == nil then return nil end
			return not deciding
		end
	end
end

local BINARY = {
	["+"] = arithmetic(function(a, b) return a + b end),
	["-"] = arithmetic(function(a, b) return a - b end),
	["*"] = arithmetic(function(a, b) return a * b end),
	["/"] = arithmetic(function(a, b) return a / b end),
	["<"] = comparison(function(a, b) return a < b end),
	["<="] = comparison(function(a, b) return a <= b end),
	[">"] = comparison(function(a, b) return a > b end),
	[">="] = comparison(function(a, b) return a >= b end),
	["=="] = comparison(function(a, b) return a == b end),
	["~="] = comparison(function(a, b) return a ~= b end),
	["and"] = connective(false),
	["or"] = connective(true),
}

local UNARY = {
	["-"] = function(of)
		return function(context)
			local value = of(context)
			return value and -value
		end
	end,
	["not"] = function(of)
		return function(context)
			local value = of(context)
			if value == nil then return nil end
			return not value
		end
	end,
}

---@param node gridcentric.RuleNode a number
---@return number # in seconds, bytes, or as a share of 1
function compile.value(node)
	return node.value * (units.ALL[node.unit] or 1)
end

-- Of which no comparison is true: what is told of a value that never was finite.
local NOT_A_NUMBER = 0 / 0

-- Each makes a closure of a node, and adds to the memories what it has to be told later.
local COMPILERS = {}

---@param node gridcentric.RuleNode that was checked
---@param memories gridcentric.RuleMemory[] to which those of the node are added, inner ones first
---@return fun(context: gridcentric.RuleContext): number|boolean|nil
function compile.node(node, memories)
	return COMPILERS[node.type](node, memories)
end

function COMPILERS.number(node)
	local value = compile.value(node)
	return function() return value end
end

function COMPILERS.metric(node)
	local name, read = node.name, metric.reader(node.name)
	return function(context)
		local value = read(context.sample)
		if not value then context.missing = name end
		return value
	end
end

function COMPILERS.time(node)
	local contains = calendar.parse(node.window)
	return function(context)
		local time = context.sample.time
		if time then return contains(time) end
		context.missing = "time"
	end
end

-- What is remembered is named after its text: the same twice is remembered once, and a policy that
-- is read anew goes on with it.
function COMPILERS.call(node, memories)
	local value, shape = compile.node(node.of, memories), history.shape(compile.value(node.span))
	local key = printer.expression(node.of) .. ", " .. printer.expression(node.span)
	if not memories[key] then
		memories[key] = true
		memories[#memories + 1] = { key = key, shape = shape, value = value }
	end
	local tell = history.find(node.name)
	return function(context)
		local told = tell(shape, context.slices[key], context.now)
		if told or not value(context) then return told end
		return NOT_A_NUMBER
	end
end

function COMPILERS.unary(node, memories)
	return UNARY[node.op](compile.node(node.of, memories))
end

function COMPILERS.binary(node, memories)
	local left, right = compile.node(node.left, memories), compile.node(node.right, memories)
	return BINARY[node.op](left, right)
end

---Notes what has to be remembered of this moment; at each decision, before any closure is called.
---@param memories gridcentric.RuleMemory[]
---@param context gridcentric.RuleContext
function compile.remember(memories, context)
	for _, memory in ipairs(memories) do
		local slices = context.slices[memory.key]
		if not slices then
			slices = {}
			context.slices[memory.key] = slices
		end
		local value = memory.value(context)
		-- the share of no clone is infinite or not a number, and would stay so for all of the span
		local is_finite = value and value - value == 0
		if is_finite then history.record(memory.shape, slices, context.now, value) end
	end
end

return compile
