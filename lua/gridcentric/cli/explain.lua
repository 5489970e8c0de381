-- Explains in words why there are as many clones as there are: a decision in the ledger, and what
-- followed from it. Pure.

local plural = require "gridcentric.util.plural"
local units = require "gridcentric.util.units"

local explain = {}

---An event as the ledger has it.
---@class gridcentric.LedgerEvent
---@field at integer milliseconds since 1970
---@field engine string
---@field what string
---@field vmid integer?
---@field text string
---@field json table? details

local MOST = 5 -- clones that are named one by one

local function clones(n)
	if n == 0 then return "no clone" end
	return plural.count(n, "clone")
end

local function was(n)
	return n == 1 and "1 was" or ("%d were"):format(n)
end

-- "(clone 4; clone 5; clone 6)"
local function list(items)
	local n = #items
	if n > MOST then items = { items[1], items[2], items[3], "...", items[n] } end
	return ("(%s)"):format(table.concat(items, "; "))
end

local function there_were(n)
	if n == 0 then return "There was none" end
	return n == 1 and "There was 1" or ("There were %d"):format(n)
end

---What followed from a decision.
---@class gridcentric.Outcome
---@field ready string[] clones
---@field gone string[] clones
---@field failed string[] tries

local function sort(events)
	local outcome = { ready = {}, gone = {}, failed = {} }
	local function add(to, text, ...) table.insert(outcome[to], text:format(...)) end
	for _, event in ipairs(events) do
		local what, details = event.what, event.json or {}
		if what == "ready" then
			add("ready", "clone %d, after %s", event.vmid, units.show(details.ms / 1000, "s"))
		end
		if what == "drain" then add("gone", "clone %d", event.vmid) end
		if what == "failed" or what == "denied" then add("failed", "%s", event.text) end
	end
	return outcome
end

local function rise(decision, outcome)
	local text, ready = there_were(decision.before), outcome.ready
	local planned = math.max(decision.actions.make, decision.wanted - decision.before)
	if #ready >= planned then
		return ("%s, so %s made %s."):format(text, was(#ready), list(ready))
	end
	text = ("%s, so %s planned"):format(text, was(planned))
	if #ready == 0 then return text .. "; none is ready yet." end
	return ("%s; ready so far: %d %s."):format(text, #ready, list(ready))
end

local function fall(decision, outcome)
	local text, gone = there_were(decision.before), outcome.gone
	if #gone == 0 then return text .. "; none was free to be ended yet." end
	return ("%s, so %s ended %s."):format(text, was(#gone), list(gone))
end

---@param event gridcentric.LedgerEvent the decision
---@param events gridcentric.LedgerEvent[] that followed from it
---@return string
function explain.decision(event, events)
	local decision, outcome = event.json, sort(events)
	local service, sentences = event.engine:match "^(.*)%-%d+$", {}
	local function say(text, ...) sentences[#sentences + 1] = text:format(...) end
	say("At %s the policy of %s asked for %s: %s.", os.date("%Y-%m-%d %H:%M:%S", event.at // 1000),
		service, clones(decision.desired), decision.reason)
	if #decision.limits > 0 then
		say("The plan allows %d: %s.", decision.wanted, table.concat(decision.limits, "; "))
	end
	local change = decision.wanted > decision.before and rise or fall
	sentences[#sentences + 1] = change(decision, outcome)
	for _, why in ipairs(outcome.failed) do say("%s.", why) end
	return table.concat(sentences, " ")
end

return explain
