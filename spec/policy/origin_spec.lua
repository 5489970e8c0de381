local max_of = require "gridcentric.policy.max_of"
local origin = require "gridcentric.policy.origin"
local policy = require "gridcentric.config.load"
local ratio = require "gridcentric.policy.ratio"
local target = require "gridcentric.policy.target"

local function line() return debug.getinfo(2, "l").currentline end

describe("the origin of a ready policy", function()
	local function fault_of(scale, sample)
		local p = assert(policy.check { app = { script = "-" }, scale = scale })
		sample.clones, sample.coming, sample.my = 0, 0, sample.my or {}
		local desired, err = policy.decide(p, 0, sample, {}, 0)
		assert.is_nil(desired)
		return err
	end

	it("is the line of the file that called it", function()
		local scale, here = ratio {}, line()
		assert.equal("spec/policy/origin_spec.lua:" .. here, origin.place(scale))
	end)

	it("is blamed for what the policy returns", function()
		local scale, here = target { metric = "my.load", value = 10 }, line()
		local expected = "spec/policy/origin_spec.lua:%d: scale returned -1, not a number of clones"
		assert.equal(expected:format(here), fault_of(scale, { my = { load = -10 } }))
	end)

	it("is blamed for an error in our code, and in a part", function()
		local scale, here = ratio {}, line()
		local place = ("spec/policy/origin_spec.lua:%d: "):format(here)
		assert.equal(place, fault_of(scale, {}):sub(1, #place))
		assert.is_nil(fault_of(scale, {}):find "ratio.lua")
		scale, here = max_of { 1, target { metric = "my.load", value = 10 } }, line()
		local expected = "spec/policy/origin_spec.lua:%d: part 2 returned -1, not a number of clones"
		assert.equal(expected:format(here), fault_of(scale, { my = { load = -10 } }))
	end)

	it("leaves errors of the file's own code alone", function()
		local here = line() + 1
		local function own() error "oops" end
		assert.equal(("spec/policy/origin_spec.lua:%d: oops"):format(here),
			fault_of(max_of { 1, own }, {}))
	end)

	it("knows whether code of the file runs in it", function()
		local function own() return 1 end
		assert.is_true(origin.is_ready(max_of { 1, max_of { ratio {} } }))
		assert.is_false(origin.is_ready(max_of { 1, max_of { own } }))
		assert.is_false(origin.is_ready(own))
	end)
end)
