-- A clone of a program with 10,000 established connections.

local phases = require "spec.bench.support.phases"

local CONNECTIONS = 10000
local N = 20

local function descriptor_limit()
	for line in io.lines("/proc/self/limits") do
		local soft = line:match("^Max open files%s+(%d+)")
		if soft then return tonumber(soft) end
	end
end

-- In ms.
local function scaled(samples)
	local ms = {}
	for i, us in ipairs(samples) do ms[i] = us / 1e3 end
	return ms
end

return {
	title = "a clone at 10,000 established connections",
	run = function(t, report)
		if descriptor_limit() < CONNECTIONS + 500 then
			return report:note("not measured: too few descriptors (ulimit -n)")
		end
		local found, _, without = phases.measure(t, { connections = CONNECTIONS }, N)
		report:samples("clone() to callback", scaled(without), { unit = "ms" })
		local function tell(what, pattern, options)
			options.unit = "ms"
			report:samples("of it: " .. what, scaled(phases.sum(found, pattern)), options)
		end
		tell("the program looks for listeners", "^clone%(%)", {})
		tell("the program looks at all descriptors", "^look at all", {})
		tell("fork()", "^fork", {})
		tell("repair in the clone", "^repair", { aim = 100 })
	end,
}
