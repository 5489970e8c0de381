-- How many routing decisions a second each strategy makes at 1,000 clones.

local pool = require "gridcentric.controller.pool"
local random = require "gridcentric.util.random"
local route = require "gridcentric.route"
local uv = require "luv"

local CLONES = 1000
local ROUNDS = 15
local ROUND_S = 0.05
local AIMS = { round_robin = 1e6, two_choices = 1e6 }

local function new_clones()
	local clones = pool.new()
	for i = 1, CLONES do
		local clone = clones:plan(0)
		clones:move(clone, "starting")
		clones:serve(clone, i, { ip = "127.0.0.1", port = 1 }, 0)
		clone.connections = i * 7919 % 13
	end
	return clones
end

local function routes()
	local all = {}
	for _, name in ipairs(route.NAMES) do
		all[#all + 1] = { name = name, pick = route.get(name).pick }
	end
	all[#all + 1] = { name = "hash", pick = route.READY.hash({ by = "source" }).pick }
	all[#all + 1] = { name = "weighted",
		pick = route.READY.weighted({ weight = function() return 1 end }).pick }
	return all
end

local function new_requests()
	local requests = {}
	for i = 1, 1024 do requests[i] = { ip = ("10.0.%d.%d"):format(i >> 8, i & 255) } end
	return requests
end

-- Picks for a while: how many a second.
local function measure(pick, clones, requests)
	local state, n = { random = random.new(1) }, 0
	pick(requests[1], clones, state) -- what is built once
	local since = uv.hrtime()
	repeat
		for i = 1, 64 do pick(requests[(n + i) % #requests + 1], clones, state) end
		n = n + 64
		local seconds = (uv.hrtime() - since) / 1e9
	until seconds >= ROUND_S
	return n / ((uv.hrtime() - since) / 1e9)
end

return {
	title = ("routing decisions a second, %d clones"):format(CLONES),
	run = function(_, report)
		local clones, requests = new_clones(), new_requests()
		for _, r in ipairs(routes()) do
			local samples = {}
			for i = 1, ROUNDS do samples[i] = measure(r.pick, clones, requests) end
			report:samples(r.name, samples, { unit = "/s", aim = AIMS[r.name], at_least = true })
		end
	end,
}
