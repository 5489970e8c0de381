-- Notes which metrics a policy reads that a trace does not have. Pure.
--
--	local noted = unknown.new(trace)
--	policy.scale(now, noted:watch(sample), state)
--	noted:names()                                    { "cpu", "latency.p95" }
--
-- A policy by cpu would otherwise seem to do well on a trace without cpu: it asks for nothing.
-- Functions in the policy file get a copy of the sample, and fail by themselves if they use what is
-- not there.

local registry = require "gridcentric.metrics.registry"

local unknown = {}

local GROUPS = { "latency", "my" } -- tables in a sample

-- The metrics that replay cannot know by itself; those in groups are told by the group.
local IS_RECORDED = {}
for _, metric in ipairs(registry.measured()) do IS_RECORDED[metric.name] = true end

---@class gridcentric.Unknown
---@field trace gridcentric.Trace
---@field seen table<string, true>
---@field sample gridcentric.Sample the last one
---@field view gridcentric.Sample reads as the last one
local Unknown = { __name = "gridcentric.replay.unknown" }
Unknown.__index = Unknown

local function note(self, name)
	if not self.trace.measured[name] then self.seen[name] = true end
end

local function view_of_group(self, group)
	return setmetatable({}, {
		__index = function(_, key)
			note(self, ("%s.%s"):format(group, key))
			return self.sample[group][key]
		end,
		__pairs = function() return next, self.sample[group], nil end,
	})
end

-- One view for all samples: the policy is asked for each row, of which there may be many.
local function new_view(self)
	local groups = {}
	for _, group in ipairs(GROUPS) do groups[group] = view_of_group(self, group) end
	return setmetatable({}, {
		__index = function(_, key)
			if IS_RECORDED[key] then note(self, key) end
			return groups[key] or self.sample[key]
		end,
		__pairs = function() return next, self.sample, nil end,
	})
end

---@param t gridcentric.Trace
---@return gridcentric.Unknown
function unknown.new(t)
	local self = setmetatable({ trace = t, seen = {} }, Unknown)
	self.view = new_view(self)
	return self
end

---@param sample gridcentric.Sample
---@return gridcentric.Sample # reads the same, until the next one is watched
function Unknown:watch(sample)
	self.sample = sample
	return self.view
end

---@return string[] sorted
function Unknown:names()
	local names = {}
	for name in pairs(self.seen) do names[#names + 1] = name end
	table.sort(names)
	return names
end

return unknown
