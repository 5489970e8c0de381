-- What specs of policies share.

local support = {}

---A sample of a quiet service, with some fields changed.
---@param changes? table<string, any>
---@return gridcentric.Sample
function support.sample(changes)
	local sample = {
		sessions = 0, connections = 0, held = 0, requests = 0, errors = 0, clones = 0, coming = 0,
		my = {},
	}
	for name, value in pairs(changes or {}) do sample[name] = value end
	return sample
end

---Asks a policy once: desired, reason, code.
---@param scale gridcentric.Scale
---@param changes? table<string, any> of the sample
---@param state? table
function support.ask(scale, changes, state)
	return scale(1000, support.sample(changes), state or {})
end

---What is wrong with a call; without the place, which has to be in the spec.
---@param fn function
---@return string
function support.error_of(fn)
	local ok, err = pcall(fn)
	assert(not ok, "no error")
	return (assert(err:match "_spec%.lua:%d+: (.*)$", "not blamed on the spec: " .. tostring(err)))
end

---A policy that says what it is told to.
---@param answers table desired, reason, code; may be changed later
---@param states? table[] to which those are added that it is given
---@return gridcentric.Scale
function support.saying(answers, states)
	return function(_, _, state)
		if states then states[#states + 1] = state end
		return answers[1], answers[2], answers[3]
	end
end

return support
