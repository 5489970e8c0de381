-- Random numbers from a seed: the same in each run, for what is to be played back, and in a clone
-- nobody else's, for each has its own generator. Also the hash of texts. Nothing secret: keys of
-- sessions are made by the core.

local random = {}

local GOLDEN = 0x9E3779B97F4A7C15 -- 2^64 divided by the golden ratio, odd

---@alias gridcentric.Random fun(): integer

---Spreads an integer over all 64 bits: each bit of it changes half of the result's. (The finalizer
---of SplitMix64, Steele, Lea and Flood 2014.)
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

---The same text has the same hash, in every run.
---@param text string
---@return integer
function random.hash(text)
	local h = #text
	for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001B3 end -- FNV's prime
	return random.mix(h)
end

return random
