-- The third way: a function. Up as soon as there are more users, down only after ten quiet seconds.
--
--	gcscale examples/policies/function.lua
--
-- It looks at nothing but its arguments, so that it can be played back: the time in seconds, the
-- load (sample.sessions, sample.cpu and so on, see gcscale-policy(5)), and a table of its own that
-- lasts from one call to the next. It returns a number of clones, and the reason, which
-- `gcscale status` shows.

local PER_CLONE = 2
local QUIET_S = 10

local function scale(now, sample, state)
	local need = math.ceil(sample.sessions / PER_CLONE)
	if need >= (state.desired or 0) then
		state.desired, state.enough_since = need, now
		return need, ("sessions: %d"):format(sample.sessions)
	end
	if now - state.enough_since < QUIET_S then
		return state.desired, ("%d would do, but not for %d s yet"):format(need, QUIET_S)
	end
	state.desired, state.enough_since = need, now
	return need, ("%d have done for %d s"):format(need, QUIET_S)
end

return {
	listen = "127.0.0.1:8080",
	app = { script = "../chat/server.lua" }, -- seen from this file; told by PORT where to listen
	scale = scale,
}
