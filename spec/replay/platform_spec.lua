local platform = require "gridcentric.replay.platform"
local virtual = require "gridcentric.replay.clock"

describe("replay.platform", function()
	local clock, model, seen

	local function open(options)
		options = options or {}
		clock = virtual.new(0)
		model = platform.new(clock, {
			clone_s = options.clone_s or 0.1, denial = options.denial or 0, seed = options.seed or 1,
		})
		seen = {}
		model:subscribe(function(vmid, state) seen[#seen + 1] = ("%d %s"):format(vmid, state) end)
	end

	it("has the program ready at once", function()
		open()
		local started
		model:start(function(ok) started = ok end)
		assert.is_true(started)
		assert.same({ "0 ready" }, seen)
	end)

	it("makes clones after a time, and ends them", function()
		open { clone_s = 2 }
		local made
		model:clone(2, function(vmids) made = vmids end)
		clock.advance(1.9)
		assert.is_nil(made)
		clock.advance(2)
		assert.same({ 1, 2 }, made)
		model:stop(1, 5000)
		clock.advance(3)
		assert.same({ "1 starting", "2 starting", "1 ready", "2 ready", "1 ended" }, seen)
		assert.equal(1, model.made - model.ended)
	end)

	-- Which of 200 operations are denied.
	local function denials(options)
		open(options)
		local list = {}
		for i = 1, 200 do
			model:clone(1, function(vmids, _, code)
				if #vmids == 0 then list[#list + 1] = i .. code end
			end)
		end
		clock.advance(10)
		return list
	end

	it("denies a share of the operations, the same ones in each run", function()
		local denied = denials { denial = 0.25 }
		assert.is_true(#denied > 30 and #denied < 70)
		assert.same(denied, denials { denial = 0.25 })
		assert.not_same(denied, denials { denial = 0.25, seed = 2 })
		assert.matches("GC_EDENIED$", denied[1])
		assert.same({}, denials { denial = 0 })
		assert.equal(200, #denials { denial = 1 })
	end)

	it("tells of decisions", function()
		open()
		local told
		model.on_decision = function(decision) told = decision.id end
		model:event("ready", 1, "", {})
		model:event("decision", nil, "", { id = 4 })
		assert.equal(4, told)
	end)
end)
