-- The keys of a policy file, each described once: see util/options.lua for what is made of that.
--
-- How to add a key: a line here or in one of the schema_*.lua, then `make generate`, which writes
-- the tables of gcscale-policy(5) and what editors know. Its meaning for the service is read from
-- the checked policy (gridcentric.Policy, load.lua).

local combine = require "gridcentric.policy.combine"
local host_port = require "gridcentric.util.host_port"
local metrics = require "gridcentric.config.schema_metrics"
local options = require "gridcentric.util.options"
local origin = require "gridcentric.policy.origin"
local plan = require "gridcentric.config.schema_plan"
local program = require "gridcentric.config.schema_app"
local proxy = require "gridcentric.config.schema_proxy"
local ratio = require "gridcentric.policy.ratio"
local route = require "gridcentric.route"
local types = require "gridcentric.util.types"

local record = options.record

local name = types.text("^[%w][%w._-]*$", "a name of letters, digits, dots, - and _",
	"name")
local address = types.new("address", "string|integer", host_port.read)
local scale = types.func "gridcentric.Scale"
local victim = types.func("gridcentric.Victim")

-- The reason of a number stands alone here; in a combinator those of its parts stand beside it.
local function read_scale(value)
	local part, err = combine.part(value)
	if not part or type(value) == "function" then return part, err end
	return origin.note(function() return value, "a fixed number" end)
end

local schema = {}

---The keys by their subject: each is a table of its own in the manual.
---@type { title: string, keys: gridcentric.Key[] }[]
schema.SECTIONS = {
	{ title = "The program", keys = {
		{ "app", record(program.APP, "gridcentric.AppKeys"), required = true,
			text = "The program that is cloned." },
		{ "backend", types.one_of("fork", "qemu"), default = "fork",
			text = "What is cloned: the program as processes, or a virtual machine with it.",
			see = "VIRTUAL MACHINES" },
		{ "name", name, unset = "the policy file's",
			text = "The service's name, for `gcscale status --name` and the state folder.",
			more = "It has letters, digits, dots, - and _, and begins with a letter or digit." },
	} },
	{ title = "Listening", keys = {
		{ "listen", address, default = "127.0.0.1:8080",
			text = 'Where clients connect: `"127.0.0.1:8080"`, `"[::1]:8080"`, `"*:8080"` or `8080`.',
			synonyms = { "port", "bind", "address", "host" } },
		{ "mode", types.one_of("http", "tcp"), default = "http",
			text = "What is routed: HTTP requests by their session, or TCP connections.",
			synonyms = { "protocol" } },
		{ "sticky", types.one_of("cookie", "source", false),
			unset = '"cookie"; in tcp mode false',
			text = "How a user is recognized." },
		{ "session_timeout", types.seconds(0, 1000000), default = 60,
			text = "Time a session lasts after its last connection has closed.",
			more = "Until then the user returns to the same clone. Without `sticky` a session ends with "
				.. "its connection.", synonyms = { "ttl" } },
		{ "cookieless_timeout", types.seconds(0, 1000000), default = 10,
			text = "The same for clients that never return the cookie." },
		{ "count", types.one_of("begun", "confirmed"), default = "begun",
			text = "Which users count as sessions: all, or only those whose cookie has come back.",
			more = "With `confirmed`, programs that keep no cookie do not scale the service." },
		{ "ignore", record(proxy.IGNORE, "gridcentric.IgnoreKeys"), unset = "no request",
			text = "Requests that are no user's, such as the health checks of a load balancer.",
			more = "Any clone answers them. They begin no session and count nowhere.",
			synonyms = { "exempt", "exclude" } },
	} },
	{ title = "Number of clones", keys = {
		{ "scale", types.new("policy, function or whole number", "gridcentric.Part", read_scale),
			default = ratio {}, unset = "ratio { }",
			text = "The policy: how many clones there should be.", see = "SCALE",
			synonyms = { "policy", "rule", "rules", "strategy", "autoscale" } },
		{ "clones", record(plan.CLONES, "gridcentric.ClonesKeys"), default = {},
			text = "How many clones there may be.",
			synonyms = { "replicas", "instances", "workers", "processes", "min", "max" } },
		{ "metrics", metrics.metrics, default = {}, text = "Metrics of your own, by name.",
			see = "METRICS OF YOUR OWN" },
		{ "on_missing", types.any_of('"hold", "min", "max" or a function',
				types.one_of("hold", "min", "max"), scale),
			default = "hold",
			text = "What is wanted while a metric that the policy needs is missing.",
			more = "`hold` keeps the number wanted so far, `min` and `max` are those of `clones`, and "
				.. "a function is called like `scale`." },
		{ "shadow", types.text("%S", "a file name"), unset = "none",
			text = "Another policy file, relative to this one's folder, to run in this one's shadow.",
			more = "It is asked with the same samples and acts on nothing; where it disagrees is an "
				.. "event, and shown by `gcscale status`." },
		{ "watch", types.boolean, default = false,
			text = "Whether the policy file is reloaded whenever it changes.", see = "CHANGING A POLICY",
			synonyms = { "reload" } },
	} },
	{ title = "Pace", keys = {
		{ "plan", record(plan.PLAN, "gridcentric.PlanKeys"), default = {},
			text = "How fast the number of clones follows the policy.", see = "THE PLAN",
			synonyms = { "cooldown", "behavior", "pace" } },
	} },
	{ title = "Routing", keys = {
		{ "route", route.type, default = route.DEFAULT,
			text = "Which clone a new session goes to.", see = "ROUTES",
			synonyms = { "balance", "routing", "algorithm" } },
		{ "held", record(proxy.HELD, "gridcentric.HeldKeys"), default = {},
			text = "What becomes of connections that wait for a clone.", synonyms = { "queue" } },
	} },
	{ title = "Unhealthy clones", keys = {
		{ "health", record(proxy.HEALTH, "gridcentric.HealthKeys"), unset = "no clone is ejected",
			text = "When a clone is ejected; `{ }` for the defaults.", see = "HEALTH",
			synonyms = { "healthcheck", "health_check" } },
	} },
	{ title = "Ending clones", keys = {
		{ "drain", types.boolean, default = false,
			text = "Whether a clone may be ended while somebody uses it.", see = "DRAINING" },
		{ "victim", types.any_of('"fewest" or a function', types.one_of "fewest", victim),
			default = "fewest", text = "Which clone is ended first.",
			more = "`fewest` is the clone with the fewest connections, then the fewest sessions, then the "
				.. "youngest. A function gets the list of the clones that may be ended and returns one of "
				.. "them, or nil for none." },
		{ "drain_timeout", types.seconds(0, 1000000), default = 30,
			text = "Time that open connections have when a clone is drained or the service ends." },
		{ "stop_timeout", types.seconds(0, 1000000), default = 5,
			text = "Time between SIGTERM and SIGKILL for a clone that is ended.",
			synonyms = { "grace_period", "kill_timeout" } },
	} },
	{ title = "Callbacks", keys = {
		{ "on_clone", types.func "fun(vmid: integer)", unset = "none",
			text = "A function that is called with the vmid of each clone that becomes ready." },
		{ "on_event", types.func "fun(event: gridcentric.Event)", unset = "none",
			text = "A function that is called with each event, a table with `what`, `vmid`, `text` and "
				.. "`details`.", synonyms = { "log", "on_error" } },
	} },
	{ title = "Monitoring", keys = {
		{ "admin", metrics.admin, unset = "none",
			text = "Where `/metrics` is served.", see = "/METRICS",
			more = "There is no password: an address that others can reach shows it to them. A unix "
				.. "socket is open to its owner alone.", synonyms = { "metrics_port", "prometheus" } },
	} },
	{ title = "Limits of the proxy", keys = {
		{ "limits", record(proxy.LIMITS, "gridcentric.LimitKeys"), default = {},
			text = "Limits of the proxy.", synonyms = { "timeouts", "timeout" } },
	} },
}

local function collect(is_in)
	local keys = {}
	for _, section in ipairs(schema.SECTIONS) do
		for _, key in ipairs(section.keys) do
			if is_in(key[1]) then keys[#keys + 1] = key end
		end
	end
	return keys
end

local NOT_INSIDE = { app = true, backend = true, watch = true, shadow = true }
local NOT_SHARED = { listen = true, clones = true } -- autoscale.setup has arguments for them

local function is_inside(key) return not NOT_INSIDE[key] end
local function is_shared(key) return is_inside(key) and not NOT_SHARED[key] end

---A policy file.
schema.FILE = options.schema(collect(function() return true end))

---A program that scales itself.
schema.INSIDE = options.schema(collect(is_inside))

---What autoscale.setup takes besides keys of a policy file.
schema.SETUP_ONLY = {
	{ "host", types.text(), unset = '"127.0.0.1"',
		text = 'The numeric address to listen on; `"*"` for all IPv4 addresses.',
		more = "In a virtual machine the default is all IPv4 addresses." },
	{ "metric", types.one_of("sessions", "connections"), default = "sessions",
		text = "What counts as a user." },
	{ "per_clone", types.number(0.001), default = 2, text = "Users for each clone." },
	{ "min", plan.CLONES.by_name.min[2], default = 0, text = "Clones kept without any user." },
	{ "max", plan.CLONES.by_name.max[2], default = 16, text = "The most clones there may be." },
	{ "log", types.any_of("a function or false", types.one_of(false),
			types.func "fun(what: string, vmid: integer?, text: string)"),
		unset = "standard error", text = "A function that is called with each event; false for none.",
		more = "It gets `what`, `vmid`, `text` and `details`. Errors always go to standard error." },
}

schema.SHARED = options.schema(collect(is_shared))
schema.SETUP = options.schema(schema.SETUP_ONLY, collect(is_shared))

return schema
