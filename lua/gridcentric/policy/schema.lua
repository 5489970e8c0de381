-- What ready policies and combinators are called with, each described once: see util/options.lua.
-- Beside its keys one may take a list of items: the parts of a combinator, the tiers of step.
--
-- How to add one: an entry here, its file beside this one, its name in config/globals.lua,
-- and `make generate`.

local calendar = require "gridcentric.policy.text.calendar"
local combine = require "gridcentric.policy.combine"
local metric = require "gridcentric.policy.metric"
local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"
local units = require "gridcentric.util.units"

---What a function of a policy file is called with.
---@class gridcentric.Signature
---@field name string
---@field text string a sentence for users
---@field example string
---@field keys gridcentric.Schema
---@field class string? of its argument, for editors
---@field item gridcentric.Type? of what stands beside the keys
---@field least integer? how many items there are at least
---@field most integer? and at most
---@field result string what it makes, for editors ("gridcentric.Scale")

local NO_KEYS = options.schema {}

local part = types.new("policy or whole number", "gridcentric.Part", combine.part)
local load = types.new("name of a metric", "string", metric.load)
local when = types.new("days and times", "string", calendar.window)
local size = types.bytes(1)

local zone = { "zone", types.one_of("local", "utc"), default = "local",
	text = "The time zone where a text names none.", synonyms = { "timezone", "tz" } }

local WINDOW = options.schema {
	{ "when", when, required = true,
		text = 'Days and times: `"Mon-Fri 08:00-18:00"`, `"22:00-06:00 UTC"`, or five fields as in a '
			.. "crontab.", see = "DAYS AND TIMES" },
	{ "clones", types.integer(0), required = true, text = "Clones at these times." },
}

-- A number, or text with a unit, which is left as it is: what it means depends on the metric.
local quantity = types.new("number, or text with a unit", "number|string", function(value)
	local n = value
	if type(value) == "string" then n = units.read(value) end
	if type(n) == "number" and math.abs(n) < math.huge then return value end
	return types.mismatch("a number, or text with a unit,", value)
end)

local check_clones = types.integer(0)

local tier = types.new("{ from, clones }", "{ [1]: number|string, [2]: integer }", function(value)
	local fields = options.fields(value)
	if not fields or #fields ~= 2 then return nil, "a tier { from, clones } expected" end
	local from, from_err = quantity(fields[1])
	if not from then return nil, "from: " .. from_err end
	local clones, clones_err = check_clones(fields[2])
	if not clones then return nil, "clones: " .. clones_err end
	return { from = from, clones = clones }
end)

---@type table<string, gridcentric.Signature>
local schema = {}

schema.ratio = {
	text = "One clone for a number of users.",
	example = 'scale = ratio { metric = "sessions", per_clone = 2 }',
	keys = options.schema {
		{ "metric", types.one_of("sessions", "connections"), default = "sessions",
			text = "What is counted." },
		{ "per_clone", types.number(0.001), default = 2, text = "How many of them a clone serves.",
			synonyms = { "value", "target", "n" } },
	},
}

schema.target = {
	text = "As many clones as keep a metric at a value.",
	example = 'scale = target { metric = "cpu", value = "60%" }',
	keys = options.schema {
		{ "metric", load, required = true, text = "A total or an average.", see = "Metrics by name" },
		{ "value", quantity, required = true,
			text = 'What each clone should have: `40`, `"60%"`, `"250 ms"`, `"512 MB"`.',
			synonyms = { "target", "per_clone" } },
		{ "tolerance", types.share(0, 0.99), default = 0.1,
			text = "A deviation by this share of the value changes nothing." },
		{ "down_window", types.seconds(0, 1000000), default = 60,
			text = "Fewer clones are wanted only when fewer were needed all this time.",
			synonyms = { "window", "cooldown", "stabilization" } },
		{ "average", types.boolean, unset = "by the metric",
			text = "Whether a metric of your own is an average over the clones; otherwise it is a total." },
	},
}

schema.step = {
	text = "Tiers: from a value of a metric on, a number of clones.",
	example = 'scale = step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }',
	keys = options.schema {
		{ "metric", load, required = true, text = "A total or an average.", see = "Metrics by name" },
	},
	item = tier, least = 1,
}

schema.schedule = {
	text = "A number of clones at given times.",
	example = 'schedule { { when = "Mon-Fri 08:00-18:00", clones = 4 }, default = 1 }',
	keys = options.schema {
		{ "default", types.integer(0), unset = "no opinion", text = "Clones outside of all windows." },
		zone,
	},
	item = options.record(WINDOW, "gridcentric.ScheduleWindow"), least = 1,
}

schema.budget = {
	text = "As many clones as CPUs or memory allow; for `min_of`.",
	example = 'scale = min_of { ratio {}, budget { private_memory = "2 GB" } }',
	keys = options.schema {
		{ "cpus", types.number(0), unset = "no limit", text = "CPUs for all clones together.",
			synonyms = { "cpu", "cores" } },
		{ "cpus_per_clone", types.number(0.001), default = 1, text = "CPUs set aside for each clone." },
		{ "memory", size, unset = "no limit", text = "Memory for all clones together.",
			synonyms = { "mem", "ram" } },
		{ "memory_per_clone", size, unset = "required with memory",
			text = "Memory set aside for each clone." },
		{ "private_memory", size, unset = "no limit",
			text = "Memory that all clones together may have to themselves, as it is measured.",
			more = "A clone shares the program's memory until one of them writes to it, and a full "
				.. "garbage collection writes to all of a Lua heap. So each clone counts with the "
				.. "average of `memory_per_clone` or with the program's `heap`, whichever is more." },
	},
}

schema.rules = {
	text = "Rules as text, see RULES in gcscale-policy(5).",
	example = "scale = rules [[\n    up 1 when connections / clones > 2 for 3s\n"
		.. "    down 1 when connections / clones < 1 for 1m\n]]",
	keys = NO_KEYS, class = "string",
}

schema.max_of = {
	text = "As many as the part that wants most.",
	example = 'scale = max_of { ratio {}, target { metric = "cpu", value = "60%" } }',
	keys = NO_KEYS, item = part, least = 1,
}

schema.min_of = {
	text = "As many as the part that wants least.",
	example = "scale = min_of { ratio {}, budget { cpus = 4 } }",
	keys = NO_KEYS, item = part, least = 1,
}

schema.first_of = {
	text = "The first part that has an opinion.",
	example = 'scale = first_of { target { metric = "my.queue", value = 20 }, ratio {} }',
	keys = NO_KEYS, item = part, least = 1,
}

schema.clamp = {
	text = "What its part says, within bounds.",
	example = 'clamp { min = 1, max = 4, target { metric = "requests", value = 100 } }',
	keys = options.schema {
		{ "min", types.integer(0), default = 0, text = "The fewest clones." },
		{ "max", types.integer(0), unset = "no limit", text = "The most clones." },
	},
	item = part, least = 1, most = 1,
}

schema.during = {
	text = "One policy at some times, perhaps another at others.",
	example = 'scale = during { when = "Mon-Fri 08:00-18:00", ratio {}, otherwise = 1 }',
	keys = options.schema {
		WINDOW.by_name.when,
		zone,
		{ "otherwise", part, unset = "no opinion", text = "The policy at other times.",
			synonyms = { "else", "default" } },
	},
	item = part, least = 1, most = 1,
}

for name, signature in pairs(schema) do
	signature.name, signature.result = name, "gridcentric.Scale"
end

return schema
