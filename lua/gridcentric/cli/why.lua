-- gcscale why: explains a decision.

local engine_program = require "gridcentric.cli.engine_program"
local engines = require "gridcentric.cli.engines"
local exit = require "gridcentric.cli.exit"
local explain = require "gridcentric.cli.explain"
local printable = require "gridcentric.util.printable"

-- The last decision of a service, or the one with this number.
local function find_decision(name, number)
	local rows, err = engine_program.rows("events",
		{ name = name, decision = number or 0, limit = not number and 1 or nil })
	for i = #(rows or {}), 1, -1 do
		local row = rows[i]
		if row.what == "decision" and type(row.json) == "table" then
			return row.engine, math.tointeger(row.json.id)
		end
	end
	if not rows then return nil, nil, exit.FAILED, err end
	return nil, nil, exit.NOTHING, number and ("there is no decision %d"):format(number)
		or "nothing was decided yet"
end

-- Which service is meant where none is named: the one that is running, nil if none is.
local function running_engine()
	local found, err = engines.states()
	if not found then return nil, exit.FAILED, err end
	if #found < 2 then return found[1] and engines.names(found) end
	return nil, exit.USAGE, ("several services are running; choose one with --name: %s"):format(
		engines.names(found))
end

---@param args { decision: integer?, name: string? }
---@return integer exit status
return function(args)
	local name, failed, problem = args.name, nil, nil
	if not name then name, failed, problem = running_engine() end
	if failed then return exit.fail(failed, problem) end
	local engine, number, status, err = find_decision(name, args.decision)
	if not engine then return exit.fail(status, name and ("%s: %s"):format(name, err) or err) end
	local rows, wrong = engine_program.rows("events", { name = engine, decision = number })
	if not rows then return exit.fail(exit.FAILED, wrong) end
	local decision = table.remove(rows, 1)
	print(printable.lines(("Decision %d. %s"):format(number, explain.decision(decision, rows))))
	return exit.OK
end
