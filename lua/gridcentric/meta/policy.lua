---@meta _
-- Made by `make generate` from the descriptions of keys and metrics; changes
-- here are lost. For editors: lua-language-server completes, explains and checks a policy file when
-- the folder that holds gridcentric/ is on its library path, see EDITORS in gcscale-policy(5). What
-- stands in parentheses is the default. Nothing runs this file.

-- The keys ----------------------------------------------------------------------------------------

---What a policy file returns. Above its `return`: `---@type gridcentric.PolicyFile`
---@class gridcentric.PolicyFile
---@field app gridcentric.AppKeys The program that is cloned
---@field backend? "fork"|"qemu" What is cloned: the program as processes, or a virtual machine with it ("fork")
---@field name? string The service's name, for `gcscale status --name` and the state folder (the policy file's)
---@field listen? string|integer Where clients connect: `"127.0.0.1:8080"`, `"[::1]:8080"`, `"*:8080"` or `8080` ("127.0.0.1:8080")
---@field mode? "http"|"tcp" What is routed: HTTP requests by their session, or TCP connections ("http")
---@field sticky? "cookie"|"source"|false How a user is recognized ("cookie"; in tcp mode false)
---@field session_timeout? number|string Time a session lasts after its last connection has closed (60 seconds)
---@field cookieless_timeout? number|string The same for clients that never return the cookie (10 seconds)
---@field count? "begun"|"confirmed" Which users count as sessions: all, or only those whose cookie has come back ("begun")
---@field ignore? gridcentric.IgnoreKeys Requests that are no user's, such as the health checks of a load balancer (no request)
---@field scale? gridcentric.Part The policy: how many clones there should be (ratio { })
---@field clones? gridcentric.ClonesKeys How many clones there may be ({})
---@field metrics? table<string, gridcentric.MetricKeys> Metrics of your own, by name ({})
---@field on_missing? "hold"|"min"|"max"|gridcentric.Scale What is wanted while a metric that the policy needs is missing ("hold")
---@field shadow? string Another policy file, relative to this one's folder, to run in this one's shadow (none)
---@field watch? boolean Whether the policy file is reloaded whenever it changes (false)
---@field plan? gridcentric.PlanKeys How fast the number of clones follows the policy ({})
---@field route? gridcentric.RouteName|gridcentric.Route|gridcentric.Pick Which clone a new session goes to ("latest")
---@field held? gridcentric.HeldKeys What becomes of connections that wait for a clone ({})
---@field health? gridcentric.HealthKeys When a clone is ejected; `{ }` for the defaults (no clone is ejected)
---@field drain? boolean Whether a clone may be ended while somebody uses it (false)
---@field victim? "fewest"|gridcentric.Victim Which clone is ended first ("fewest")
---@field drain_timeout? number|string Time that open connections have when a clone is drained or the service ends (30 seconds)
---@field stop_timeout? number|string Time between SIGTERM and SIGKILL for a clone that is ended (5 seconds)
---@field on_clone? fun(vmid: integer) A function that is called with the vmid of each clone that becomes ready (none)
---@field on_event? fun(event: gridcentric.Event) A function that is called with each event, a table with `what`, `vmid`, `text` and `details` (none)
---@field admin? string|integer Where `/metrics` is served (none)
---@field limits? gridcentric.LimitKeys Limits of the proxy ({})

---@class gridcentric.AppKeys
---@field script? string The program: a Lua script, relative to the policy file's folder (required with "fork")
---@field args? (string)[] The program's arguments, `arg[1]` and on ({})
---@field port? integer Where the program listens (a free one; required with "qemu")
---@field start_timeout? number|string Time the program has until it listens on its port (10, with "qemu" 60)
---@field image? string The image that the machine boots from, relative to the policy file's folder (required with "qemu")
---@field memory? number|string Memory of the machine, and of each clone, from 64M to 1024G ("256M")
---@field cpus? integer CPUs of the machine, and of each clone (1)
---@field accel? "auto"|"kvm"|"tcg" How the machine runs: by KVM, or emulated (`tcg`) ("auto")
---@field network? "user"|"tap" How the machine is reached: through QEMU (`user`), or by a tap device (`tap`) ("user")
---@field spare? integer Clones of the machine that are kept half made, so that the next one comes sooner (1)

---@class gridcentric.IgnoreKeys
---@field path? string The path of such requests, whatever their query (none)
---@field agent? string A part of their User-Agent (none)

---@class gridcentric.ClonesKeys
---@field min? integer Clones that are kept without any load (0)
---@field max? integer The most clones there may be (16)

---@class gridcentric.PlanKeys
---@field tolerance? number|string A change by no more than this share of the clones is not made (0)
---@field up? gridcentric.DirectionKeys How fast clones are added ({})
---@field down? gridcentric.DirectionKeys How fast clones are ended ({})

---@class gridcentric.DirectionKeys
---@field window? number|string A change must have been wanted for this long (0 seconds)
---@field cooldown? number|string Time after one change before the next (0 seconds)
---@field most? integer|string The most clones that one `period` may add or end (any number)
---@field period? number|string The period of `most` (60 seconds)

---@class gridcentric.HeldKeys
---@field max? integer The most connections that may wait for a clone at a time (1000)
---@field timeout? number|string Time that a connection waits for a clone; then it is refused (10 seconds)
---@field status? integer Status of the answer to a refused request (503)
---@field text? string Text of the answer to a refused request, one line (the reason)

---@class gridcentric.HealthKeys
---@field failures? integer Failed requests in a row, or connections in tcp mode, that eject a clone (5)
---@field errors? boolean Whether an answer with status 500 or above counts as a failure (false)
---@field eject_time? number|string Time a clone stays ejected (10 seconds)
---@field max_eject_time? number|string The longest time a clone stays ejected (300 seconds)
---@field max_ejected? number|string The largest share of the clones that may be ejected at a time (0.5)
---@field check? gridcentric.CheckKeys How each clone is asked whether it works; `{ }` for checks with the defaults (no checks)
---@field replace_after? number|string Time after which a clone whose checks fail is killed and, if wanted, replaced (never)

---@class gridcentric.CheckKeys
---@field path? string A path that each clone is asked for, at its own address (only connect)
---@field status? integer Status that a healthy clone answers (200 to 399)
---@field interval? number|string Time between two checks (5 seconds)
---@field timeout? number|string Time within which the answer must have arrived (2 seconds)
---@field fall? integer Failed checks in a row that eject a clone (3)
---@field rise? integer Passed checks in a row that bring an ejected clone back (2)

---@class gridcentric.LimitKeys
---@field sessions? integer Sessions at a time; further users are answered 503 (100000)
---@field connections? integer Connections from clients at a time; further ones wait to be accepted (10000, or fewer: see below)
---@field head? number|string The largest head of a request; a larger one is answered 431 or 414 (16384 bytes)
---@field response_head? number|string The largest head of a response; for a larger one 502 is answered (16384 bytes)
---@field body? number|string The largest content of a request; more is answered 413, and 0 means no limit (0 bytes)
---@field head_timeout? number|string Time from the first to the last byte of a request's head; then 408 is answered (10 seconds)
---@field idle_timeout? number|string Time a client's connection may stay open between two requests (75 seconds)
---@field connect_timeout? number|string Time to connect to a clone (3 seconds)
---@field response_timeout? number|string Time from the end of a request to the head of its response; then 504 is answered (300 seconds)
---@field stall_timeout? number|string Time after which a peer that neither sends nor takes a byte is disconnected (60 seconds)
---@field tunnel_timeout? number|string The same in tcp mode and for WebSocket; 0 means no limit (0 seconds)

---@class gridcentric.MetricKeys
---@field url? string A page in Prometheus' text format, for example `http://127.0.0.1:9100/metrics` (none)
---@field clones? string The path of such a page that each clone serves, for example `/metrics` (none)
---@field metric? string The name of the metric on that page (required with url or clones)
---@field match? table<string, string> Labels that a series must have, for example `{ mode = "idle" }` ({})
---@field aggregate? "sum"|"avg"|"min"|"max" How several values become one ("sum")
---@field every? number|string Time between two fetches (5 seconds)
---@field timeout? number|string Time within which the page, of 1 MB at most, must have arrived (1 seconds)

---What autoscale.setup() takes.
---@class gridcentric.AutoscaleOptions
---@field host? string The numeric address to listen on; `"*"` for all IPv4 addresses ("127.0.0.1")
---@field metric? "sessions"|"connections" What counts as a user ("sessions")
---@field per_clone? number Users for each clone (2)
---@field min? integer Clones kept without any user (0)
---@field max? integer The most clones there may be (16)
---@field log? false|fun(what: string, vmid: integer?, text: string) A function that is called with each event; false for none (standard error)
---@field name? string The service's name, for `gcscale status --name` and the state folder (the policy file's)
---@field mode? "http"|"tcp" What is routed: HTTP requests by their session, or TCP connections ("http")
---@field sticky? "cookie"|"source"|false How a user is recognized ("cookie"; in tcp mode false)
---@field session_timeout? number|string Time a session lasts after its last connection has closed (60 seconds)
---@field cookieless_timeout? number|string The same for clients that never return the cookie (10 seconds)
---@field count? "begun"|"confirmed" Which users count as sessions: all, or only those whose cookie has come back ("begun")
---@field ignore? gridcentric.IgnoreKeys Requests that are no user's, such as the health checks of a load balancer (no request)
---@field scale? gridcentric.Part The policy: how many clones there should be (ratio { })
---@field metrics? table<string, gridcentric.MetricKeys> Metrics of your own, by name ({})
---@field on_missing? "hold"|"min"|"max"|gridcentric.Scale What is wanted while a metric that the policy needs is missing ("hold")
---@field plan? gridcentric.PlanKeys How fast the number of clones follows the policy ({})
---@field route? gridcentric.RouteName|gridcentric.Route|gridcentric.Pick Which clone a new session goes to ("latest")
---@field held? gridcentric.HeldKeys What becomes of connections that wait for a clone ({})
---@field health? gridcentric.HealthKeys When a clone is ejected; `{ }` for the defaults (no clone is ejected)
---@field drain? boolean Whether a clone may be ended while somebody uses it (false)
---@field victim? "fewest"|gridcentric.Victim Which clone is ended first ("fewest")
---@field drain_timeout? number|string Time that open connections have when a clone is drained or the service ends (30 seconds)
---@field stop_timeout? number|string Time between SIGTERM and SIGKILL for a clone that is ended (5 seconds)
---@field on_clone? fun(vmid: integer) A function that is called with the vmid of each clone that becomes ready (none)
---@field on_event? fun(event: gridcentric.Event) A function that is called with each event, a table with `what`, `vmid`, `text` and `details` (none)
---@field admin? string|integer Where `/metrics` is served (none)
---@field limits? gridcentric.LimitKeys Limits of the proxy ({})

---@alias gridcentric.RouteName "latest"|"least"|"round_robin"|"two_choices"

-- The sample --------------------------------------------------------------------------------------

---The load, as a policy sees it.
---@class gridcentric.Sample
---@field sessions integer Users with an open connection, or whose timeout has not run out (users)
---@field connections integer Open connections of clients; in http mode from their first request on (connections)
---@field held integer Connections that wait for a clone (connections)
---@field clones integer Clones that serve (clones)
---@field coming integer Clones that are planned or being made (clones)
---@field denied integer Clones that could not be made the last time that some were to be made (clones)
---@field requests number Requests per second over the last 10 seconds; 0 in tcp mode (requests per second)
---@field errors number Answers with status 500 or above per second over the last 10 seconds (errors per second)
---@field latency gridcentric.Latency
---@field cpu? number Busy share of one core, averaged over the clones that serve (% of one core)
---@field memory? number Memory that is shared with no other process, of all clones together (bytes)
---@field memory_per_clone? number The average of that over the clones (bytes)
---@field heap? number Size of the program's Lua heap (bytes)
---@field time number The time of day in seconds since 1970
---@field my table<string, number> Metrics of your own, by name
---@field measured_over table<string, number> How many clones an average was measured over: `latency`, `memory_per_clone` and `"my.NAME"`. An average times this number is the load; times `clones`, which may have grown since, it is not

---@class gridcentric.Latency
---@field p50 number Time until a clone began to answer, not exceeded by half of the requests of the last 30 seconds (seconds)
---@field p95 number Time until a clone began to answer, not exceeded by 95% of the requests of the last 30 seconds (seconds)
---@field p99 number Time until a clone began to answer, not exceeded by 99% of the requests of the last 30 seconds (seconds)

-- Ready policies ----------------------------------------------------------------------------------

---@class gridcentric.RatioOptions
---@field metric? "sessions"|"connections" What is counted ("sessions")
---@field per_clone? number How many of them a clone serves (2)

---One clone for a number of users.
---
---    scale = ratio { metric = "sessions", per_clone = 2 }
---@param given gridcentric.RatioOptions
---@return gridcentric.Scale
function ratio(given) end

---@class gridcentric.TargetOptions
---@field metric string A total or an average
---@field value number|string What each clone should have: `40`, `"60%"`, `"250 ms"`, `"512 MB"`
---@field tolerance? number|string A deviation by this share of the value changes nothing (0.1)
---@field down_window? number|string Fewer clones are wanted only when fewer were needed all this time (60 seconds)
---@field average? boolean Whether a metric of your own is an average over the clones; otherwise it is a total (by the metric)

---As many clones as keep a metric at a value.
---
---    scale = target { metric = "cpu", value = "60%" }
---@param given gridcentric.TargetOptions
---@return gridcentric.Scale
function target(given) end

---@class gridcentric.StepOptions
---@field metric string A total or an average
---@field [integer] { [1]: number|string, [2]: integer }

---Tiers: from a value of a metric on, a number of clones.
---
---    scale = step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }
---@param given gridcentric.StepOptions
---@return gridcentric.Scale
function step(given) end

---@class gridcentric.ScheduleOptions
---@field default? integer Clones outside of all windows (no opinion)
---@field zone? "local"|"utc" The time zone where a text names none ("local")
---@field [integer] gridcentric.ScheduleWindow

---@class gridcentric.ScheduleWindow
---@field when string Days and times: `"Mon-Fri 08:00-18:00"`, `"22:00-06:00 UTC"`, or five fields as in a crontab
---@field clones integer Clones at these times

---A number of clones at given times.
---
---    schedule { { when = "Mon-Fri 08:00-18:00", clones = 4 }, default = 1 }
---@param given gridcentric.ScheduleOptions
---@return gridcentric.Scale
function schedule(given) end

---@class gridcentric.BudgetOptions
---@field cpus? number CPUs for all clones together (no limit)
---@field cpus_per_clone? number CPUs set aside for each clone (1)
---@field memory? number|string Memory for all clones together (no limit)
---@field memory_per_clone? number|string Memory set aside for each clone (required with memory)
---@field private_memory? number|string Memory that all clones together may have to themselves, as it is measured (no limit)

---As many clones as CPUs or memory allow; for `min_of`.
---
---    scale = min_of { ratio {}, budget { private_memory = "2 GB" } }
---@param given gridcentric.BudgetOptions
---@return gridcentric.Scale
function budget(given) end

---Rules as text, see RULES in gcscale-policy(5).
---
---    scale = rules [[
---        up 1 when connections / clones > 2 for 3s
---        down 1 when connections / clones < 1 for 1m
---    ]]
---@param given string
---@return gridcentric.Scale
function rules(given) end

-- Combinators -------------------------------------------------------------------------------------

---As many as the part that wants most.
---
---    scale = max_of { ratio {}, target { metric = "cpu", value = "60%" } }
---@param given gridcentric.Part[]
---@return gridcentric.Scale
function max_of(given) end

---As many as the part that wants least.
---
---    scale = min_of { ratio {}, budget { cpus = 4 } }
---@param given gridcentric.Part[]
---@return gridcentric.Scale
function min_of(given) end

---The first part that has an opinion.
---
---    scale = first_of { target { metric = "my.queue", value = 20 }, ratio {} }
---@param given gridcentric.Part[]
---@return gridcentric.Scale
function first_of(given) end

---@class gridcentric.ClampOptions
---@field min? integer The fewest clones (0)
---@field max? integer The most clones (no limit)
---@field [integer] gridcentric.Part

---What its part says, within bounds.
---
---    clamp { min = 1, max = 4, target { metric = "requests", value = 100 } }
---@param given gridcentric.ClampOptions
---@return gridcentric.Scale
function clamp(given) end

---@class gridcentric.DuringOptions
---@field when string Days and times: `"Mon-Fri 08:00-18:00"`, `"22:00-06:00 UTC"`, or five fields as in a crontab
---@field zone? "local"|"utc" The time zone where a text names none ("local")
---@field otherwise? gridcentric.Part The policy at other times (no opinion)
---@field [integer] gridcentric.Part

---One policy at some times, perhaps another at others.
---
---    scale = during { when = "Mon-Fri 08:00-18:00", ratio {}, otherwise = 1 }
---@param given gridcentric.DuringOptions
---@return gridcentric.Scale
function during(given) end

-- Routes ------------------------------------------------------------------------------------------

---@class gridcentric.HashOptions
---@field by? "source"|"path"|string The key: the client's address, the path without its query, a header or a cookie ("source")

---The same clone for the same key.
---
---    route = hash { by = "header:X-Tenant" }
---@param given gridcentric.HashOptions
---@return gridcentric.Route
function hash(given) end

---@class gridcentric.WeightedOptions
---@field weight fun(clone: gridcentric.Clone): number A function that returns the weight of a clone; 0: none, unless all have 0

---Each clone gets a share of the sessions that is proportional to its weight.
---
---    route = weighted { weight = function(clone) return 1 / (1 + clone.connections) end }
---@param given gridcentric.WeightedOptions
---@return gridcentric.Route
function weighted(given) end
