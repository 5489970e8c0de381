-- The keys of a policy file, with their types and defaults. Times are in seconds, sizes in bytes.
-- For editors they are described in meta/policy.lua.

local host_port = require "gridcentric.util.host_port"
local metric_keys = require "gridcentric.config.metric_keys"
local options = require "gridcentric.util.options"
local ratio = require "gridcentric.policy.ratio"
local route = require "gridcentric.route"
local vm_keys = require "gridcentric.config.vm_keys"

local integer, number, record = options.integer, options.number, options.record
local seconds = number(0, 1000000)

local name = options.text("^[%w][%w._-]*$", "a name of letters, digits, dots, - and _")

local CLONES = {
	min = { integer(0), default = 0 }, -- kept without any load
	max = { integer(0, 100000), default = 16 }, -- finite: a policy gone wild costs no more
}

local HELD = { -- connections that wait for a clone
	max = { integer(0), default = 1000 }, -- any more are refused
	timeout = { seconds, default = 10 }, -- then they are refused, too
	status = { integer(400, 599), default = 503 }, -- that those get, in http mode
	text = { options.text("^[^%c]+$", "a line of text") }, -- and read; none: why
}

-- A number of clones, or a share of those there are: 4, "50%".
local function amount(value)
	local percent = type(value) == "string" and tonumber(value:match "^(%d+%.?%d*)%%$")
	if percent and percent > 0 then return { share = percent / 100 } end
	local n = integer(1)(value)
	if n then return { n = n } end
	return options.mismatch('a whole number from 1 or a share as "50%"', value)
end

local DIRECTION = { -- see plan/pace.lua
	cooldown = { seconds, default = 0 }, -- from one change to the next
	window = { seconds, default = 0 }, -- for so long it has to be desired
	most = { amount }, -- clones in a period; none: any number
	period = { number(0.001, 1000000), default = 60 },
}

local PLAN = { -- how fast the number of clones follows the policy
	tolerance = { number(0, 1), default = 0 }, -- share of the clones; less is no difference
	up = { record(DIRECTION), default = {} },
	down = { record(DIRECTION), default = {} },
}

local CHECK = { -- asks each clone whether it works
	path = { options.text("^/[^%s%c]*$", "a path as /health") }, -- none: a connect is enough
	status = { integer(100, 599) }, -- of a healthy one; none: 200 to 399
	interval = { number(1, 86400), default = 5 },
	timeout = { number(0.001, 3600), default = 2 },
	fall = { integer(1), default = 3 }, -- checks in a row that fail
	rise = { integer(1), default = 2 }, -- checks in a row that pass
}

local HEALTH = { -- who fails is ejected: nobody is sent there for a while
	failures = { integer(1), default = 5 }, -- in a row
	errors = { options.boolean, default = false }, -- whether a status from 500 on is one
	eject_time = { number(0.001, 86400), default = 10 }, -- doubled each time in a row
	max_eject_time = { number(0.001, 86400), default = 300 },
	max_ejected = { number(0, 1), default = 0.5 }, -- share of the clones; never the last one
	check = { record(CHECK) }, -- none: only what users see counts
	replace_after = { seconds }, -- checks failing for so long: it is killed; none: never
}

-- Without a default here the proxy's own holds, see proxy_defaults() in csrc/proxy/proxy.c.
local LIMITS = {
	sessions = { integer(1), default = 100000 }, -- known at a time; who comes then is refused
	connections = { integer(1, 16000000) }, -- from clients at a time; others wait to be accepted
	head = { integer(512, 16384) }, -- bytes of a request's head
	body = { integer(0) }, -- bytes of a request's content; 0: any number
	head_timeout = { seconds }, -- from the first to the last byte of a head
	idle_timeout = { seconds }, -- of a client's connection between requests
	connect_timeout = { seconds }, -- to a clone
	response_timeout = { seconds }, -- from a request to the head of its response
	stall_timeout = { seconds }, -- of a peer that neither takes nor gives a byte
	tunnel_timeout = { seconds }, -- the same in tcp mode and for WebSocket; 0: none
}

-- Which of them belong together, and which are needed, says app.lua. Files are seen from the
-- policy's folder.
local APP = {
	script = { options.text("%S", "a file name") },
	args = { options.list(options.text()), default = {} },
	image = { options.text("%S", "a file name") }, -- of a virtual machine, with the program in it
	port = { integer(1, 65535) }, -- where it listens; none: a free one that it finds in $PORT
	start_timeout = { number(0.1, 86400) }, -- until it listens
}
for key, entry in pairs(vm_keys) do APP[key] = entry end

-- What a policy file and autoscale.setup() have in common.
local SHARED = {
	name = { name }, -- for gcscale's --name; none: the file's
	scale = { options.func "a function or a ready policy", default = ratio {} },
	metrics = { metric_keys.metrics, default = {} }, -- the user's own
	-- The number of clones when a metric that the policy needs is missing; hold: as many as were
	-- wanted so far.
	on_missing = { options.any_of('"hold", "min", "max" or a function',
		options.one_of("hold", "min", "max"), options.func()), default = "hold" },
	admin = { metric_keys.admin }, -- where /metrics is served; none: nowhere
	plan = { record(PLAN), default = {} },
	route = { route.type, default = route.DEFAULT }, -- which clone a new session goes to
	health = { record(HEALTH) }, -- none: no clone is ejected
	drain = { options.boolean, default = false }, -- whether a clone that is used may be ended
	-- Which one is ended; "fewest": users, then the youngest.
	victim = { options.any_of('"fewest" or a function', options.one_of "fewest", options.func()),
		default = "fewest" },
	on_clone = { options.func() }, -- called with the vmid of each clone that is ready
	on_event = { options.func() }, -- called with each event
	mode = { options.one_of("http", "tcp"), default = "http" },
	-- How a user is known again. Default: "cookie" in http mode. In tcp mode false, each connection
	-- is a session: behind one address there may be many users.
	sticky = { options.one_of("cookie", "source", false) },
	session_timeout = { seconds, default = 60 }, -- a session counts so long without connection
	cookieless_timeout = { seconds, default = 10 }, -- the same, if its cookie never came back
	held = { record(HELD), default = {} },
	-- How long open connections may go on, of a clone that is drained and of the service at its end.
	drain_timeout = { seconds, default = 30 },
	stop_timeout = { seconds, default = 5 }, -- between asking a clone to end and killing it
	limits = { record(LIMITS), default = {} },
}

-- A program that scales itself.
local INSIDE = {
	listen = { host_port.read, default = "127.0.0.1:8080" }, -- where clients connect
	clones = { record(CLONES), default = {} }, -- how many there may be
}
for key, entry in pairs(SHARED) do INSIDE[key] = entry end

local FILE = {
	app = { record(APP), required = true }, -- the program that is cloned
	backend = { options.one_of("fork", "qemu"), default = "fork" }, -- as processes, or as VMs
	watch = { options.boolean, default = false }, -- whether the file is loaded anew when it changes
	shadow = { options.text("%S", "a file name") }, -- another policy, which is only asked
}
for key, entry in pairs(INSIDE) do FILE[key] = entry end

return { FILE = FILE, INSIDE = INSIDE, SHARED = SHARED, CLONES = CLONES }
