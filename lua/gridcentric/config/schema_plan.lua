-- The keys of `clones` and `plan`: how many clones there may be, and how fast their number follows
-- the policy. See plan/.

local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"
local units = require "gridcentric.util.units"

local schema = {}

schema.CLONES = options.schema {
	{ "min", types.integer(0), default = 0, text = "Clones that are kept without any load.",
		more = "With 0 the first user waits for the first clone." },
	{ "max", types.integer(0, 100000), default = 16, -- finite: a mistaken policy costs no more
		text = "The most clones there may be.",
		more = "Clones that are draining do not count." },
}

-- A number of clones, or a share of those there are: 4, "50%".
local amount = types.new('whole number, or a share such as "50%"', "integer|string",
	function(value)
		local share = type(value) == "string" and units.read(value, units.SHARE)
		if share and share > 0 and share < math.huge then return { share = share } end
		local n = type(value) == "number" and math.tointeger(value)
		if n and n >= 1 then return { n = n } end
		return types.mismatch('a whole number from 1, or a share such as "50%",', value)
	end)

local DIRECTION = options.schema {
	{ "window", types.seconds(0, 1000000), default = 0,
		text = "A change must have been wanted for this long." },
	{ "cooldown", types.seconds(0, 1000000), default = 0,
		text = "Time after one change before the next." },
	{ "most", amount, unset = "any number",
		text = "The most clones that one `period` may add or end." },
	{ "period", types.seconds(0.001, 1000000), default = 60, text = "The period of `most`." },
}

local direction = options.record(DIRECTION, "gridcentric.DirectionKeys")

schema.PLAN = options.schema {
	{ "tolerance", types.share(), default = 0,
		text = "A change by no more than this share of the clones is not made.",
		synonyms = { "threshold" } },
	{ "up", direction, default = {}, text = "How fast clones are added.",
		synonyms = { "scale_up", "increase" } },
	{ "down", direction, default = {}, text = "How fast clones are ended.",
		synonyms = { "scale_down", "decrease" } },
}

return schema
