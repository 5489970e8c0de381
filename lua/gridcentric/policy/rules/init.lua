-- rules [[ ... ]]: a policy as text.
--
--	scale = rules [[
--		at least 1 always
--		up 1 when connections / clones > 2 for 3s    # again each 3 s while it stays so
--		down 50% when avg(cpu, 1m) < 20% for 5m
--		to 4 when time in "Mon-Fri 08:00-09:00"
--		at most 10 when memory > 4GB
--	]]
--
-- What they mean. Rules are read from top to bottom. Of up, down and to, the first rule that
-- applies sets the number, and the others do not count; if none applies, the number stays. Then
-- all at least and at most that apply are kept; where they exclude each other, at most wins.
--
-- As a part of other policies, rules want something only once an up or down has applied, or while a
-- to applies. Their at least and at most are limits of what all parts together want.
--
--   - A rule applies while its condition is true; with `for`, once that has been true without a
--     break for so long.
--   - up and down start from the clones that serve or come. A change takes time to show, so each up
--     or down restarts the `for` of all of these rules, and one follows another after a second at
--     the earliest. A share of the clones is rounded up.
--   - A missing metric makes a condition unknown, which ends its `for`. If something is unknown and
--     no rule decides all the same, the policy has no number ("MISSING", see metric.lua).
--
-- grammar.lua reads, check.lua finds mistakes, compile.lua makes closures, print.lua writes rules.

local check = require "gridcentric.policy.rules.check"
local combine = require "gridcentric.policy.combine"
local compile = require "gridcentric.policy.rules.compile"
local grammar = require "gridcentric.policy.rules.grammar"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local printer = require "gridcentric.policy.rules.print"
local syntax = require "gridcentric.policy.text.syntax"
local types = require "gridcentric.util.types"

local PACE_S = 1 -- between one up or down and the next
local MAX_CLONES = 1e9 -- above any service's limit, and still a whole number

---@class gridcentric.CompiledRule
---@field verb "up"|"down"|"to"|"at least"|"at most"
---@field text string by which its `for` is kept, and as a reason
---@field amount fun(context: gridcentric.RuleContext): number?
---@field is_share boolean of the clones there are
---@field condition? fun(context: gridcentric.RuleContext): boolean?
---@field hold number seconds; 0: none
---@field is_step boolean up or down

---What is kept from one decision to the next.
---@class gridcentric.RulesState
---@field desired number? before at least and at most
---@field reason string
---@field since table<string, number> when conditions became true
---@field slices table<string, gridcentric.HistorySlice[]>
---@field stepped_at number of the last up or down
---@field last_verb? "up"|"down"|"to" of the rule that set the number last

-- Reading ----------------------------------------------------------------------------------------

local function parse(text)
	local parsed, places, message = grammar.parse(text)
	if not parsed then return nil, syntax.report(text, places, message) end
	local at, wrong = check(parsed, places)
	if at then return nil, syntax.report(text, at, wrong) end
	return parsed
end

local function compile_rule(rule, memories)
	return {
		verb = rule.verb,
		text = printer.rule(rule),
		amount = compile.node(rule.amount, memories),
		is_share = rule.amount.unit ~= nil,
		condition = rule.when and compile.node(rule.when, memories),
		hold = rule.hold and compile.value(rule.hold) or 0,
		is_step = rule.verb == "up" or rule.verb == "down",
	}
end

local function compile_all(parsed)
	local changes, bounds, memories = {}, {}, {}
	for _, rule in ipairs(parsed) do
		local is_bound = rule.verb == "at least" or rule.verb == "at most"
		local list = is_bound and bounds or changes
		list[#list + 1] = compile_rule(rule, memories)
	end
	return changes, bounds, memories
end

-- Deciding ---------------------------------------------------------------------------------------

-- Whether a rule applies; nil if that is unknown.
local function applies(rule, context, state)
	if not rule.condition then return true end
	local is_true = rule.condition(context)
	if rule.hold == 0 or not is_true then
		state.since[rule.text] = nil
		return is_true
	end
	local since = state.since[rule.text] or context.now
	state.since[rule.text] = since
	return context.now - since >= rule.hold
end

-- The whole number of clones of a rule; nil if it lacks a metric, or is divided by zero.
local function amount_of(rule, context)
	local amount = rule.amount(context)
	if not amount or amount - amount ~= 0 then return nil end
	local clones = rule.is_share and amount * context.there or amount
	return math.ceil(math.max(rule.is_share and 1 or 0, math.min(clones - 1e-9, MAX_CLONES)))
end

-- The rules that apply, with their amounts, from top to bottom. All are asked: each `for` has to
-- see every break.
local function effective(rules, context, state)
	local found, amounts = {}, {}
	for _, rule in ipairs(rules) do
		context.missing = nil
		local does = applies(rule, context, state)
		local amount = does and amount_of(rule, context)
		if amount then
			found[#found + 1] = rule
			amounts[#found] = amount
		elseif does ~= false then
			context.unknown = context.unknown or context.missing
		end
	end
	return found, amounts
end

-- What up and down rules wait for begins anew.
local function restart(changes, now, state)
	state.stepped_at = now
	for _, rule in ipairs(changes) do
		if rule.is_step and state.since[rule.text] then state.since[rule.text] = now end
	end
end

-- A number that was never reached is no start: else it would run away while clones are denied, or
-- those that are in use cannot be ended.
local CHANGE = {
	["to"] = function(amount) return amount end,
	["up"] = function(amount, there, desired) return math.max(there + amount, desired) end,
	["down"] = function(amount, there, desired)
		return math.min(math.max(there - amount, 0), desired)
	end,
}

-- Lets the first rule that applies change the number. Returns whether one did apply.
local function change(changes, context, state)
	local found, amounts = effective(changes, context, state)
	local rule = found[1]
	if not rule then
		if state.last_verb == "to" then state.last_verb = nil end -- what it wanted is over
		return false
	end
	if rule.is_step and context.now - state.stepped_at < PACE_S then return true end
	state.desired = CHANGE[rule.verb](amounts[1], context.there, state.desired)
	state.reason, state.last_verb = rule.text, rule.verb
	if rule.is_step then restart(changes, context.now, state) end
	return true
end

-- The strictest of the bounds that apply.
local function limits_of(bounds, context, state)
	local limits = { is_all = not state.last_verb }
	local found, amounts = effective(bounds, context, state)
	for i, rule in ipairs(found) do
		local n, is_lower = amounts[i], rule.verb == "at least"
		combine.merge(limits, is_lower and { least = n, least_why = rule.text }
			or { most = n, most_why = rule.text })
	end
	return limits
end

local function begin(state, there)
	state.desired, state.reason = there, "no rule has applied yet"
	state.since, state.slices, state.stepped_at = {}, {}, -math.huge
end

---Rules as text.
---@param text string
---@return gridcentric.Scale
local function rules(text)
	if type(text) ~= "string" then
		local got = text == nil and "nil" or types.show(text)
		error("rules: text expected, got " .. got, 2)
	end
	local parsed, wrong = parse(text)
	if not parsed then error("rules: " .. wrong, 2) end
	local changes, bounds, memories = compile_all(parsed)

	return origin.note(function(now, sample, state)
		local there = sample.clones + sample.coming
		if not state.desired then begin(state, there) end
		local context = { now = now, sample = sample, there = there, slices = state.slices }
		compile.remember(memories, context)
		local has_changed = change(changes, context, state)
		local limits = limits_of(bounds, context, state)
		local n, reason
		n, reason, limits.is_limited = combine.within(state.desired, state.reason, limits)
		combine.leave(state, limits)
		-- bounds hold whatever else is unknown: with no clone there is no cpu, but one may be wanted
		if context.unknown and not has_changed and n == state.desired then
			return metric.missing(context.unknown)
		end
		return n, reason
	end)
end

return rules
