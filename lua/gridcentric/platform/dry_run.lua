-- A dry run: the program runs, with as many clones as it takes to serve at all, and the policy is
-- asked by the live load; what it would do is told, and not done.
--
-- The service goes by a policy that always wants the same few clones. The real one is its shadow,
-- with a state and a plan of its own, so nothing that acts has ever seen it: a dry run cannot act
-- by mistake, nor spend a cooldown that matters to anyone.

local dry_run = {}

-- What is asked of the one who is there alone, and what would act or be mistaken for the real one.
local LEFT_OUT = { "shadow", "on_clone", "on_event", "admin" }

---@param p gridcentric.Policy
---@return gridcentric.Policy # for a service that only tells what p would do
function dry_run.of(p)
	local n = math.max(p.clones.min, 1)
	local steady = {}
	for key, value in pairs(p) do steady[key] = value end
	for _, key in ipairs(LEFT_OUT) do steady[key] = nil end
	steady.name = p.name .. "-dry-run" -- what is told to the real one by its name is not for this
	steady.clones = { min = n, max = n }
	steady.scale = function() return n, "dry run" end
	steady.plan = {}
	steady.victim = "fewest"
	steady.shadow = p
	steady.is_dry_run = true
	return steady
end

return dry_run
