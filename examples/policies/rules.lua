-- The second way: rules as text. They are read from top to bottom: of up, down and to the first
-- that applies counts, at least and at most are always kept.
--
--	gcscale examples/policies/rules.lua

return {
	listen = "127.0.0.1:8080",
	app = { script = "../chat/server.lua" }, -- seen from this file; told by PORT where to listen
	scale = rules [[
		at least 1 always                                 # the first user need not wait
		at least 4 when time in "Mon-Fri 08:45-18:00"

		up 50% when avg(cpu, 10s) > 80% for 10s           # a burst: half as many again
		up 1 when sessions / (clones + coming) > 2        # a user more: one by one
		down 1 when sessions / clones < 1 for 30s

		at most 8 when memory > 512MB
	]],
}
