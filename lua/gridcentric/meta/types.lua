---@meta _
-- What the functions of a policy file are given and return, for editors; its keys are described in
-- policy.lua beside this. Sample, clone, request and state stand where they are made:
-- metrics/init.lua, controller/pool.lua, route/init.lua. Nothing runs this file.

---The time in seconds, the load, and a table of its own, to the number of clones and the reason.
---Nil: no opinion; with the code "MISSING": a metric is missing, and on_missing decides.
---@alias gridcentric.Scale fun(now: number, sample: gridcentric.Sample, state: table): number?, string?, string?

---One of the clones that it is given; nil: none is to go.
---@alias gridcentric.Victim fun(clones: gridcentric.Clone[]): gridcentric.Clone?

---The clone that a new session goes to; nil: no opinion.
---@alias gridcentric.Pick fun(request: gridcentric.RouteRequest, clones: gridcentric.Routable, state: gridcentric.RouteState): gridcentric.Clone?

---@class gridcentric.Event
---@field what string "decision", "ready", "denied", ...: see gcscale(1)
---@field vmid integer? of the clone that is concerned
---@field text string
---@field details table?
