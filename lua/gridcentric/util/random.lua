-- Random numbers from a seed: the same in each run, so that a trace can be replayed. Each clone has
-- its own generator. Also hashes text. Nothing here is secret: the core makes the keys of sessions.

local random = {}

local GOLDEN = 0x9E3779B97F4A7C15 -- 2^64 divided by the golden ratio, odd

---@alias gridcentric.Random fun(): integer

---Mixes an integer: each of its bits changes half the bits of the result. (The finalizer of
---SplitMix64, Steele, Lea and Flood 2014.)
---@param x integer
---@return integer
function random.mix(x)
	x = (x ~ (x >> 30)) * 0xBF58476D1CE4E5B9
	x = (x ~ (x >> 27)) * 0x94D049BB133111EB
	return x ~ (x >> 31)
end

---@param seed integer
---@return gridcentric.Random # each call gives 64 random bits
function random.new(seed)
	local mix, x = random.mix, seed
	return function()
		x = x + GOLDEN
		return mix(x)
	end
end

---Hashes text; the hash is the same in every run.
---@param text string
---@return integer
function random.hash(text)
	local h = #text
	for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001B3 end -- FNV's prime
	return random.mix(h)
end

return random
