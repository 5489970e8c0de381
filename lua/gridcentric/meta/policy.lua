---@meta _
-- What a policy file may say and is given, for editors: lua-language-server completes, explains and
-- checks a policy file when the folder that holds gridcentric/ is on its library path, see EDITORS
-- in gcscale-policy(5). Nothing runs this file.
--
-- The options of each ready policy and route stand beside it (policy/, route/), and so do sample
-- (metrics/init.lua), clone (controller/pool.lua), request and state (route/init.lua). What stands
-- in parentheses is the default. spec/config/meta_spec.lua checks that all that is known here exists, and
-- the other way round.

-- The keys ---------------------------------------------------------------------------------------

---What a policy file returns. Above its `return`: `---@type gridcentric.PolicyFile`
---@class gridcentric.PolicyFile
---@field app gridcentric.AppKeys the program that is cloned
---@field backend? "fork"|"qemu" as processes, or as virtual machines ("fork")
---@field name? string for `gcscale status --name` (the file's name, or its folder's)
---@field listen? string|integer where clients connect, "host:port" or a port ("127.0.0.1:8080")
---@field mode? "http"|"tcp" what is routed: requests by session, or connections ("http")
---@field sticky? "cookie"|"source"|false how a user is known again ("cookie"; in tcp mode false)
---@field session_timeout? number seconds a session counts after its last connection (60)
---@field cookieless_timeout? number the same, where its cookie never came back (10)
---@field scale? gridcentric.Scale how many clones there should be (ratio {})
---@field clones? gridcentric.ClonesKeys how many there may be
---@field metrics? table<string, gridcentric.MetricKeys> your own, my.NAME in a sample
---@field on_missing? "hold"|"min"|"max"|gridcentric.Scale what holds without a metric ("hold")
---@field plan? gridcentric.PlanKeys how fast the number of clones follows
---@field route? gridcentric.RouteName|gridcentric.Route|gridcentric.Pick who goes where ("latest")
---@field held? gridcentric.HeldKeys connections that wait for a clone
---@field health? gridcentric.HealthKeys which clones are ejected (none)
---@field drain? boolean whether a clone that is used may be ended (false)
---@field victim? "fewest"|gridcentric.Victim which clone is ended ("fewest")
---@field on_clone? fun(vmid: integer) called when a clone is ready
---@field on_event? fun(event: gridcentric.Event) called with each event
---@field admin? string|integer where /metrics is: "host:port", port, "unix:/path" (nowhere)
---@field drain_timeout? number seconds that open connections may go on (30)
---@field stop_timeout? number seconds between SIGTERM and SIGKILL (5)
---@field limits? gridcentric.LimitKeys of the proxy
---@field watch? boolean whether the file is loaded anew when it changes (false)
---@field shadow? string file of another policy, which is only asked

---The time in seconds, the load, and a table of its own, to the number of clones and the reason.
---Nil: no opinion; with the code "MISSING": a metric is missing, and on_missing decides.
---@alias gridcentric.Scale fun(now: number, sample: gridcentric.Sample, state: table): number?, string?, string?

---One of the clones that it is given; nil: none is to go.
---@alias gridcentric.Victim fun(clones: gridcentric.Clone[]): gridcentric.Clone?

---The clone that a new session goes to; nil: no opinion.
---@alias gridcentric.Pick fun(request: gridcentric.RouteRequest, clones: gridcentric.Routable, state: gridcentric.RouteState): gridcentric.Clone?

---@alias gridcentric.RouteName "latest"|"least"|"round_robin"|"two_choices"

---@class gridcentric.AppKeys
---@field script? string a Lua program, seen from the policy file's folder
---@field args? string[] its arguments ({})
---@field image? string with backend "qemu", instead of script: a virtual machine with the program
---@field memory? string of that machine, as "256M" or "2G" ("256M")
---@field cpus? integer of that machine (1)
---@field accel? "auto"|"kvm"|"tcg" whether by KVM or emulated; auto: KVM where it works ("auto")
---@field network? "user"|"tap" how the machine is reached ("user")
---@field spare? integer clones of the machine that are kept half made (1)
---@field port? integer where it listens (a free one, which it finds in PORT; needed with "qemu")
---@field start_timeout? number seconds until it listens (10; with "qemu" 60)

---@class gridcentric.ClonesKeys
---@field min? integer kept without any load (0)
---@field max? integer at most so many (16)

---@class gridcentric.PlanKeys
---@field tolerance? number share of the clones; what differs by no more changes nothing (0)
---@field up? gridcentric.DirectionKeys
---@field down? gridcentric.DirectionKeys

---@class gridcentric.DirectionKeys
---@field window? number seconds for which more, or fewer, have to be desired (0)
---@field cooldown? number seconds since the last change (0)
---@field most? integer|string clones in a period, as a number or a share: 4, "50%" (any number)
---@field period? number seconds (60)

---@class gridcentric.HeldKeys
---@field max? integer any more are refused (1000)
---@field timeout? number seconds until they are refused, too (10)
---@field status? integer that those get in http mode (503)
---@field text? string and read (why)

---@class gridcentric.HealthKeys
---@field failures? integer in a row, that eject a clone (5)
---@field errors? boolean whether a status from 500 on is a failure (false)
---@field eject_time? number seconds, doubled each time in a row (10)
---@field max_eject_time? number seconds (300)
---@field max_ejected? number share of the clones; never the last one (0.5)
---@field check? gridcentric.CheckKeys how each clone is asked whether it works (not at all)
---@field replace_after? number seconds of failing checks until it is killed (never)

---@class gridcentric.CheckKeys
---@field path? string as "/health" (a connect is enough)
---@field status? integer of one that is well (200 to 399)
---@field interval? number seconds between two checks (5)
---@field timeout? number seconds within which the answer comes (2)
---@field fall? integer checks in a row that fail eject a clone (3)
---@field rise? integer checks in a row that pass bring it back (2)

---@class gridcentric.LimitKeys
---@field sessions? integer known at a time (100000)
---@field connections? integer from clients at a time (10000, or what the open files allow)
---@field head? integer bytes of a request's head (16384)
---@field body? integer bytes of a request's content; 0: any number (0)
---@field head_timeout? number seconds from the first to the last byte of a head (10)
---@field idle_timeout? number seconds of a client's connection between requests (75)
---@field connect_timeout? number seconds to a clone (3)
---@field response_timeout? number seconds from a request to the head of its response (300)
---@field stall_timeout? number seconds of a peer that neither takes nor gives a byte (60)
---@field tunnel_timeout? number the same in tcp mode and for WebSocket; 0: none (0)

---@class gridcentric.MetricKeys
---@field url? string asked there: "http://127.0.0.1:9100/metrics"
---@field clones? string path, asked at each clone: "/metrics"
---@field metric? string the series; needed with url or clones
---@field match? table<string, string> labels that the series must have ({})
---@field aggregate? "sum"|"avg"|"min"|"max" of several values ("sum")
---@field every? number seconds between two requests (5)
---@field timeout? number seconds within which the page is there (1)

---@class gridcentric.Event
---@field what string "decision", "ready", "denied", ...: see gcscale(1)
---@field vmid integer? of the clone that is concerned
---@field text string
---@field details table?

-- Ready policies ---------------------------------------------------------------------------------

---One clone for every so many users.
---
---    scale = ratio { metric = "sessions", per_clone = 2 }
---@param given gridcentric.RatioOptions
---@return gridcentric.Scale
function ratio(given) end

---As many clones as keep a metric at a value.
---
---    scale = target { metric = "cpu", value = "60%" }
---@param given gridcentric.TargetOptions
---@return gridcentric.Scale
function target(given) end

---Tiers { from, clones }: from so much of a metric on, so many clones.
---
---    scale = step { metric = "connections", { 1, 1 }, { 10, 2 }, { 100, 8 } }
---@param given gridcentric.StepOptions
---@return gridcentric.Scale
function step(given) end

---So many clones at given times.
---
---    schedule { { when = "Mon-Fri 08:00-18:00", clones = 4 }, default = 1 }
---@param given gridcentric.ScheduleOptions
---@return gridcentric.Scale
function schedule(given) end

---As many clones as processors or memory allow; for min_of.
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
---@param text string
---@return gridcentric.Scale
function rules(text) end

-- Combinators ------------------------------------------------------------------------------------

---As many as the part that wants most.
---
---    scale = max_of { ratio {}, target { metric = "cpu", value = "60%" } }
---@param parts gridcentric.Part[]
---@return gridcentric.Scale
function max_of(parts) end

---As many as the part that wants least.
---
---    scale = min_of { ratio {}, budget { cpus = 4 } }
---@param parts gridcentric.Part[]
---@return gridcentric.Scale
function min_of(parts) end

---The first part that says something.
---
---    scale = first_of { target { metric = "my.queue", value = 20 }, ratio {} }
---@param parts gridcentric.Part[]
---@return gridcentric.Scale
function first_of(parts) end

---What a part says, within bounds.
---
---    clamp { min = 1, max = 4, target { metric = "requests", value = 100 } }
---@param given gridcentric.ClampOptions
---@return gridcentric.Scale
function clamp(given) end

---One policy at some times, perhaps another at others.
---
---    scale = during { when = "Mon-Fri 08:00-18:00", ratio {}, otherwise = 1 }
---@param given gridcentric.DuringOptions
---@return gridcentric.Scale
function during(given) end

-- Routes -----------------------------------------------------------------------------------------

---The same key, the same clone.
---
---    route = hash { by = "header:X-Tenant" }
---@param given gridcentric.HashOptions
---@return gridcentric.Route
function hash(given) end

---Each clone gets its share.
---
---    route = weighted { weight = function(clone) return 1 / (1 + clone.connections) end }
---@param given gridcentric.WeightedOptions
---@return gridcentric.Route
function weighted(given) end
