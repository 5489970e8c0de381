-- budget { cpus = 8 }: as many clones as may be paid for; to be combined with what is needed:
--
--	scale = min_of { target { metric = "cpu", value = "60%" }, budget { private_memory = "2 GB" } }
--
-- cpus and memory are divided by what is set aside for one clone. private_memory is divided by what
-- is measured: a clone shares the program's pages until it writes to them, and one full collection
-- of its Lua heap writes to all of that. So each is counted at the average private memory of the
-- clones or at the whole Lua heap of the program, whichever is more; a new one, which has nothing
-- of its own yet, would else look as if it were free.

local arguments = require "gridcentric.policy.arguments"
local metric = require "gridcentric.policy.metric"
local origin = require "gridcentric.policy.origin"
local schema = require "gridcentric.policy.schema"
local units = require "gridcentric.util.units"

local read_private, read_heap = metric.reader "memory_per_clone", metric.reader "heap"

-- What a clone has to be counted at. A program may have no Lua heap, and there may be no clones.
local function private_per_clone(sample)
	local most = math.max(read_private(sample) or 0, read_heap(sample) or 0)
	return most > 0 and most or nil
end

-- How many are paid for; a rounding error takes none away.
local function share(total, each)
	return math.floor(total / each + 1e-9)
end

-- A limit is a function of the sample that returns how many clones it allows, and why.
local function by_reservation(total, each, unit, what)
	local n, reason = share(total, each), ("budget of %s%s, %s per clone"):format(
		units.show(total, unit), what, units.show(each, unit))
	return function() return n, reason end
end

local function by_private_memory(total)
	local what = ("budget of %s private memory, "):format(units.show(total, "B"))
	return function(sample)
		local each = private_per_clone(sample)
		if each then return share(total, each), ("%s%s per clone"):format(what, units.show(each, "B")) end
		if sample.clones == 0 then return 1, what .. "to be measured on a first clone" end
		return metric.missing "memory_per_clone"
	end
end

local function limits_of(o)
	return {
		o.cpus and by_reservation(o.cpus, o.cpus_per_clone, nil, " CPUs"),
		o.memory and by_reservation(o.memory, o.memory_per_clone, "B", " memory"),
		o.private_memory and by_private_memory(o.private_memory),
	}
end

-- What no single key's type can see.
local function check_together(o)
	if o.memory and not o.memory_per_clone then return "memory_per_clone: missing" end
	if not (o.cpus or o.memory or o.private_memory) then
		return "cpus, memory or private_memory: missing"
	end
end

---The lowest of some limits.
---@param given gridcentric.BudgetOptions
---@return gridcentric.Scale
local function budget(given)
	local o = arguments.demand(schema.budget, given)
	local wrong = check_together(o)
	if wrong then error("budget: " .. wrong, 2) end
	local limits = limits_of(o)

	return origin.note(function(now, sample, state)
		local least, why
		for _, limit in pairs(limits) do
			local n, reason, code = limit(sample)
			if not n then return nil, reason, code end
			if not least or n < least then least, why = n, reason end
		end
		return least, why
	end)
end

return budget
