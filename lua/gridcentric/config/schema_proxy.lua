-- The keys of `held`, `ignore`, `health` and `limits`: what the proxy does with connections.

local options = require "gridcentric.util.options"
local types = require "gridcentric.util.types"

local schema = {}

schema.HELD = options.schema {
	{ "max", types.integer(0), default = 1000,
		text = "The most connections that may wait for a clone at a time.",
		more = "Further ones are refused: with an answer in http mode, by a reset in tcp mode." },
	{ "timeout", types.seconds(0, 1000000), default = 10,
		text = "Time that a connection waits for a clone; then it is refused." },
	{ "status", types.integer(400, 599), default = 503,
		text = "Status of the answer to a refused request." },
	{ "text", types.text("^[^%c]+$", "a line of text"), unset = "the reason",
		text = "Text of the answer to a refused request, one line.", synonyms = { "message" } },
}

schema.IGNORE = options.schema {
	{ "path", types.text("^/[^%s%c?#]*$", 'a path such as "/healthz"'), unset = "none",
		text = "The path of such requests, whatever their query.", synonyms = { "url" } },
	{ "agent", types.text("%S", 'a text such as "kube-probe"'), unset = "none",
		text = "A part of their User-Agent.", synonyms = { "user_agent" } },
}

local LONGEST_EJECTION_S = 86400

schema.CHECK = options.schema {
	{ "path", types.text("^/[^%s%c]*$", 'a path such as "/health"'), unset = "only connect",
		text = "A path that each clone is asked for, at its own address.",
		more = "Without it, a clone passes if it accepts a connection.", synonyms = { "url" } },
	{ "status", types.integer(100, 599), unset = "200 to 399",
		text = "Status that a healthy clone answers." },
	{ "interval", types.seconds(1, 86400), default = 5, text = "Time between two checks.",
		synonyms = { "every", "period" } },
	{ "timeout", types.seconds(0.001, 3600), default = 2,
		text = "Time within which the answer must have arrived." },
	{ "fall", types.integer(1), default = 3, text = "Failed checks in a row that eject a clone." },
	{ "rise", types.integer(1), default = 2,
		text = "Passed checks in a row that bring an ejected clone back." },
}

schema.HEALTH = options.schema {
	{ "failures", types.integer(1), default = 5,
		text = "Failed requests in a row, or connections in tcp mode, that eject a clone." },
	{ "errors", types.boolean, default = false,
		text = "Whether an answer with status 500 or above counts as a failure." },
	{ "eject_time", types.seconds(0.001, LONGEST_EJECTION_S), default = 10,
		text = "Time a clone stays ejected.",
		more = "It doubles if the clone fails again within that time after its return." },
	{ "max_eject_time", types.seconds(0.001, LONGEST_EJECTION_S), default = 300,
		text = "The longest time a clone stays ejected." },
	{ "max_ejected", types.share(), default = 0.5,
		text = "The largest share of the clones that may be ejected at a time.",
		more = "The last clone is never ejected." },
	{ "check", options.record(schema.CHECK, "gridcentric.CheckKeys"), unset = "no checks",
		text = "How each clone is asked whether it works; `{ }` for checks with the defaults." },
	{ "replace_after", types.seconds(0, 1000000), unset = "never",
		text = "Time after which a clone whose checks fail is killed and, if wanted, replaced." },
}

-- The core has the same defaults (csrc/proxy/options.c); schema_spec.lua compares them.
schema.LIMITS = options.schema {
	{ "sessions", types.integer(1), default = 100000,
		text = "Sessions at a time; further users are answered 503." },
	{ "connections", types.integer(1, 16000000), unset = "10000, or fewer: see below",
		text = "Connections from clients at a time; further ones wait to be accepted." },
	{ "head", types.bytes(512, 16384), default = 16384,
		text = "The largest head of a request; a larger one is answered 431 or 414." },
	{ "response_head", types.bytes(512, 16384), default = 16384,
		text = "The largest head of a response; for a larger one 502 is answered." },
	{ "body", types.bytes(0), default = 0,
		text = "The largest content of a request; more is answered 413, and 0 means no limit." },
	{ "head_timeout", types.seconds(0, 1000000), default = 10,
		text = "Time from the first to the last byte of a request's head; then 408 is answered." },
	{ "idle_timeout", types.seconds(0, 1000000), default = 75,
		text = "Time a client's connection may stay open between two requests." },
	{ "connect_timeout", types.seconds(0, 1000000), default = 3,
		text = "Time to connect to a clone." },
	{ "response_timeout", types.seconds(0, 1000000), default = 300,
		text = "Time from the end of a request to the head of its response; then 504 is answered." },
	{ "stall_timeout", types.seconds(0, 1000000), default = 60,
		text = "Time after which a peer that neither sends nor takes a byte is disconnected.",
		more = "A client that reads slowly is not: bytes that it acknowledges count." },
	{ "tunnel_timeout", types.seconds(0, 1000000), default = 0,
		text = "The same in tcp mode and for WebSocket; 0 means no limit." },
}

return schema
