-- The first way: ready policies, combined. As many clones as users or their work need, four when
-- everybody comes in the morning, and never more than there is memory for.
--
--	gcscale examples/policies/ready.lua
--
-- `gcscale status` then says, for example: 12 sessions, 2 per clone; at most 4 by budget of 512 MB
-- private memory, 120 MB per clone.

return {
	listen = "127.0.0.1:8080",
	app = { script = "../chat/server.lua" }, -- seen from this file; told by PORT where to listen
	clones = { max = 32 },
	scale = min_of {
		max_of { -- whichever needs most
			ratio { metric = "sessions", per_clone = 2 }, -- two users on a clone
			target { metric = "cpu", value = "60%" }, -- of a core, busy in each clone
			schedule { { when = "Mon-Fri 08:45-09:30", clones = 4 } }, -- else it has no opinion
		},
		budget { private_memory = "512 MB" }, -- what clones share with the program is free
	},
}
