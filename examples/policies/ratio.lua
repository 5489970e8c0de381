-- The simplest policy: one clone for every four connections, from one to eight of them.
--
--	gcscale examples/policies/ratio.lua
--
-- There are four ways to say how many clones there should be. See ready.lua for more of the first,
-- then rules.lua, function.lua and controller.lua. All keys are in gcscale-policy(5).

return {
	listen = "127.0.0.1:8080",
	app = { script = "../chat/server.lua" }, -- seen from this file; told by PORT where to listen
	clones = { min = 1, max = 8 }, -- the first user need not wait for a clone
	scale = ratio { metric = "connections", per_clone = 4 },
	route = "round_robin", -- new sessions go to one clone after the other
}
