-- The chat on as many clones as its users need: gcscale examples/chat/policy.lua
return {
	listen = "127.0.0.1:8080", -- where users come; --listen overrides it
	app = { script = "server.lua" }, -- beside this file; told by PORT where to listen
	clones = { max = 16 }, -- beyond that, rooms fill up
	scale = ratio { metric = "sessions", per_clone = 2 }, -- one clone for every two users
	route = "latest", -- a new user goes to the newest clone, and stays there
	mode = "http",
}
