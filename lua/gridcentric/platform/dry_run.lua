-- A dry run: the program runs with the fewest clones that can serve, and the policy decides by the
-- live load. What it would do is reported, but not done.
--
-- The service runs on a policy that always wants the same few clones. The real policy is its
-- shadow, with a state and a plan of its own. Nothing that acts ever sees it, so a dry run cannot
-- act by mistake, nor use up a cooldown.

local dry_run = {}

-- Keys that act, or that only the real service may have.
local LEFT_OUT = { "shadow", "on_clone", "on_event", "admin" }

---@param p gridcentric.Policy
---@return gridcentric.Policy # for a service that only reports what p would do
function dry_run.of(p)
	local n = math.max(p.clones.min, 1)
	local steady = {}
	for key, value in pairs(p) do steady[key] = value end
	for _, key in ipairs(LEFT_OUT) do steady[key] = nil end
	steady.name = p.name .. "-dry-run" -- commands for the real service name that one
	steady.clones = { min = n, max = n }
	steady.scale = function() return n, "dry run" end
	steady.plan = {}
	steady.victim = "fewest"
	steady.shadow = p
	steady.is_dry_run = true
	return steady
end

return dry_run
