-- Makes up rules, the same ones for the same seed.
--
--	generator.new(seed):rules()

local generator = {}

local Generator = { __name = "spec rules" }
Generator.__index = Generator

local MAX_DEPTH = 6

-- Numbers as the grammar reads them, with all that makes printing them hard.
local VALUES = { 0, 1, 2, 3, 50, 0.1, 0.25, 1 / 3, 1e-7, 123456789012345, 1e20, 4.9e-324, 1.7e308 }
local TIMES = { "ms", "s", "m", "h", "d" }
local UNITS = { "ms", "s", "m", "h", "d", "%", "B", "KB", "MB", "GB", "TB", "KiB", "GiB" }
local METRICS = { "sessions", "cpu", "latency.p95", "my.queue_depth", "clones", "up_1", "m" }
local FUNCTIONS = { "avg", "min", "max", "rate", "p50", "p95", "p7" }
local WINDOWS = { "Mon-Fri 08:00-18:00", "", "* 8-17 * * *", "it's", 'a "quoted" word' }
local VERBS = { "up", "down", "to", "at least", "at most" }
local COMPARISONS = { "<", "<=", ">", ">=", "==", "~=" }
local ARITHMETIC = { "+", "-", "*", "/" }

-- math.random() is one for the whole program; this one belongs to its seed.
local function new_random(seed)
	local state = seed * 2654435761 % 2147483647 + 1
	return function(n)
		state = state * 48271 % 2147483647
		return state % n + 1
	end
end

---@param seed integer
function generator.new(seed)
	return setmetatable({ random = new_random(seed) }, Generator)
end

function Generator:any(list)
	return list[self.random(#list)]
end

function Generator:number(units)
	local unit = self:any(units)
	return { type = "number", value = self:any(VALUES), unit = unit or nil }
end

-- A number without a unit as often as one with it.
function Generator:literal()
	local number = self:number(UNITS)
	if self.random(2) == 1 then number.unit = nil end
	return number
end

function Generator:leaf()
	local kind = self.random(4)
	if kind == 1 then return { type = "time", window = self:any(WINDOWS) } end
	if kind == 2 then return self:literal() end
	return { type = "metric", name = self:any(METRICS) }
end

function Generator:binary(operators, depth)
	return {
		type = "binary", op = self:any(operators),
		left = self:expression(depth - 1), right = self:expression(depth - 1),
	}
end

-- Any tree, also one that makes no sense: printing does not ask.
function Generator:expression(depth)
	if depth == 0 then return self:leaf() end
	local kind = self.random(7)
	if kind == 1 then return self:leaf() end
	if kind == 2 then
		return {
			type = "call", name = self:any(FUNCTIONS), of = self:expression(depth - 1),
			span = self:number(TIMES),
		}
	end
	if kind == 3 then
		return { type = "unary", op = self:any { "-", "not" }, of = self:expression(depth - 1) }
	end
	if kind == 4 then return self:binary({ "and", "or" }, depth) end
	return self:binary(kind == 5 and COMPARISONS or ARITHMETIC, depth)
end

function Generator:rule()
	local rule = { verb = self:any(VERBS), amount = self:expression(self.random(3) - 1) }
	if self.random(5) == 1 then return rule end
	rule.when = self:expression(self.random(MAX_DEPTH))
	if self.random(2) == 1 then rule.hold = self:number(TIMES) end
	return rule
end

function Generator:rules()
	local rules = {}
	for i = 1, self.random(4) do rules[i] = self:rule() end
	return rules
end

return generator
