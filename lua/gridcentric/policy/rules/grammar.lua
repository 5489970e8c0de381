-- The grammar of rules: from text to a tree.
--
--	rules       <- rule+
--	rule        <- ("up" / "down" / "to" / "at" "least" / "at" "most") expression condition
--	condition   <- "always" / "when" expression ("for" duration)?
--	expression  <- both ("or" both)*
--	both        <- negation ("and" negation)*
--	negation    <- "not"? comparison
--	comparison  <- sum (("<=" / "<" / ">=" / ">" / "==" / "~=") sum)?
--	sum         <- product (("+" / "-") product)*
--	product     <- unary (("*" / "/") unary)*
--	unary       <- "-"? value
--	value       <- number / time / call / metric / "(" expression ")"
--	time        <- "time" "in" (["] window ["] / ['] window ['])
--	call        <- name "(" expression "," duration ")"
--	metric      <- name ("." name)*
--	duration    <- number with a unit of time
--	number      <- [0-9]+ ("." [0-9]+)? ("e" [+-]? [0-9]+)? unit?
--
-- Blanks and line ends only separate; a comment goes from # or -- to the end of the line. Whether
-- names are known, and conditions are where they belong, see check.lua.

local lpeg = require "lpeg"
local syntax = require "gridcentric.policy.text.syntax"
local units = require "gridcentric.util.units"

local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V
local C, Carg, Cc, Cg, Cp, Ct = lpeg.C, lpeg.Carg, lpeg.Cc, lpeg.Cg, lpeg.Cp, lpeg.Ct
local expect = syntax.expect

local grammar = {}

local MAX_LEN = 65536 -- bytes of a text
local MAX_DEPTH = 16 -- of parentheses; LPeg's stack bears some more

---@class gridcentric.Rule
---@field verb "up"|"down"|"to"|"at least"|"at most"
---@field amount gridcentric.RuleNode clones; with the unit %: a part of those there are
---@field when gridcentric.RuleNode? the condition; none: always
---@field hold gridcentric.RuleNode? a number: how long that has to hold

---@class gridcentric.RuleNode
---@field type "number"|"metric"|"call"|"time"|"unary"|"binary"
---@field value number? of a number, as it was written
---@field unit string? of a number
---@field name string? of a metric, or the function that is called
---@field window string? of a time: see calendar.lua
---@field op string? of an unary or binary node
---@field left gridcentric.RuleNode? of a binary node
---@field right gridcentric.RuleNode? of a binary node
---@field of gridcentric.RuleNode? of an unary node or call
---@field span gridcentric.RuleNode? of a call: a number with a unit of time

-- Words ------------------------------------------------------------------------------------------

local comment = (P "#" + P "--") * (1 - P "\n")^0
local blank = (S " \t\r\n" + comment)^0
local digits = R "09"^1
local letter = R("az", "AZ") + "_"
local name = letter * (letter + R "09")^0
local word_end = -(letter + R "09") * blank

-- Words that name no metric.
local RESERVED = {}
for reserved in ("up down to at least most when always for and or not time in"):gmatch "%a+" do
	RESERVED[reserved] = true
end

local function word(text)
	return P(text) * word_end
end

local function a_word(text)
	return word(text) + expect(('"%s"'):format(text))
end

local function symbol(text)
	return P(text) * blank
end

local function a_symbol(text)
	return symbol(text) + expect(('"%s"'):format(text))
end

-- Nodes ------------------------------------------------------------------------------------------

-- What builds a node from what the pattern captures, and notes where the text of it begins.
local function node(pattern, build)
	return Carg(2) * Cp() * pattern / function(places, at, ...)
		local built = build(...)
		places[built] = at
		return built
	end
end

-- Operands with operators between them, at most so many (-1: one, 0: any number), from the left.
local function chain(operand, operator, most)
	local function fold(places, items)
		local left = items[1]
		for i = 2, #items, 3 do
			left = { type = "binary", op = items[i + 1], left = left, right = items[i + 2] }
			places[left] = items[i]
		end
		return left
	end
	local more = Cp() * (operator + expect "an operator") * operand
	return Carg(2) * Ct(operand * more^most) / fold
end

local function prefixed(operator, operand)
	local function build(op, of) return { type = "unary", op = op, of = of } end
	return node(operator * operand, build) + operand
end

local numeral = C(digits * (P "." * digits)^-1 * (S "eE" * S "+-"^-1 * digits)^-1)

local function number(unit)
	return node(numeral * unit, function(digits_read, unit_read)
		return { type = "number", value = tonumber(digits_read), unit = unit_read }
	end)
end

local function unit_of(known)
	local any = P(false)
	for unit in pairs(known) do
		any = any + C(unit) * (unit:find "%w" and word_end or blank)
	end
	return S " \t"^0 * any
end

local no_unit = (-letter + expect "a unit") * blank
local a_duration = number(unit_of(units.TIME)) + expect "a time as 30s"

local window = P '"' * C((1 - S '"\n')^0) * '"' * blank
	+ P "'" * C((1 - S "'\n")^0) * "'" * blank
	+ expect "days and times in quotes"

local time = node(word "time" * a_word "in" * window, function(read)
	return { type = "time", window = read }
end)

local unreserved = lpeg.Cmt(C(name), function(_, _, read) return not RESERVED[read], read end)

local metric = node(C(unreserved / 0 * (P "." * name)^0) * blank, function(read)
	return { type = "metric", name = read }
end)

local function parenthesized(inner)
	return syntax.nested(symbol "(", inner, a_symbol ")", MAX_DEPTH)
end

local call = node(unreserved * blank * parenthesized(V "expression" * a_symbol "," * a_duration),
	function(read, of, span) return { type = "call", name = read, of = of, span = span } end)

local verb = word "up" * Cc "up" + word "down" * Cc "down" + word "to" * Cc "to"
	+ word "at" * (word "least" * Cc "at least" + word "most" * Cc "at most"
		+ expect '"least"' + expect '"most"')
	+ expect "a rule (up, down, to, at least, at most)"

local function operator(pattern)
	return C(pattern) * blank
end

local comparison = P "<=" + "<" + ">=" + ">" + "==" + "~="

local rules = P {
	blank * Ct(V "rule"^1) * (-P(1) + expect "the end"),
	rule = Ct(Cg(verb, "verb") * Cg(V "expression", "amount") * V "condition"),
	condition = word "always"
		+ word "when" * Cg(V "expression", "when") * (a_word "for" * Cg(a_duration, "hold"))^-1
		+ expect '"when"' + expect '"always"',
	expression = chain(V "both", C "or" * word_end, 0),
	both = chain(V "negation", C "and" * word_end, 0),
	negation = prefixed(C "not" * word_end, V "comparison"),
	comparison = chain(V "sum", operator(comparison), -1),
	sum = chain(V "product", operator(S "+-"), 0),
	product = chain(V "unary", operator(S "*/"), 0),
	unary = prefixed(operator "-", V "value"),
	value = number(unit_of(units.ALL) + no_unit) + time + call + metric
		+ parenthesized(V "expression") + expect "a value",
}

---Reads rules.
---@param text string
---@return gridcentric.Rule[]? # from top to bottom
---@return integer|table<table, integer> at or, with rules, where the text of each node begins
---@return string? message
function grammar.parse(text)
	if #text > MAX_LEN then return nil, 1, ("longer than %d bytes"):format(MAX_LEN) end
	local places = {}
	local parsed, at, message = syntax.match(rules, text, places)
	if not parsed then return nil, at, message end
	return parsed, places
end

return grammar
