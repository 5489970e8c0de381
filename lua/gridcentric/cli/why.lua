-- gcscale why: explains a decision.

local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local explain = require "gridcentric.cli.explain"
local printable = require "gridcentric.util.printable"

-- The engine whose decision it is, and its number: those asked for, or the last.
local function find(args)
	local number = args.decision
	local rows, err = engine_program.rows("events",
		{ name = args.name, decision = number or 0, limit = not number and 1 or nil })
	if not rows then return nil, nil, exit.FAILED, err end
	for i = #rows, 1, -1 do
		local row = rows[i]
		if row.what == "decision" and row.json then
			return row.engine, math.tointeger(row.json.id)
		end
	end
	return nil, nil, exit.NOTHING, number and ("there is no decision %d"):format(number)
		or "nothing was decided yet"
end

---@param args { decision: integer?, name: string? }
---@return integer exit status
return function(args)
	local engine, number, status, err = find(args)
	if not engine then return exit.fail(status, err) end
	local rows, wrong = engine_program.rows("events", { name = engine, decision = number })
	if not rows then return exit.fail(exit.FAILED, wrong) end
	local decision = table.remove(rows, 1)
	print(printable.line(("Decision %d. %s"):format(number, explain.decision(decision, rows))))
	return exit.OK
end
