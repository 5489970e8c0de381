-- What every platform does: gridcentric.platform, the model of replay, and the fake of the specs.
--
--	for _, case in ipairs(contract) do it(case.title, function() ... case.check(s) ... end) end
--
-- A case gets s = { platform =, wait = }: a platform that is not started, and a function
-- wait(predicate, what), which lets time pass until the predicate holds. A case with `denied` gets
-- a platform that makes two clones at most. Cases raise plain errors, so that they also run in a
-- program of their own.

local contract = {}

local function case(title, check, options)
	table.insert(contract, { title = title, check = check, denied = options and options.denied })
end

local function equal(expected, got, what)
	if expected == got then return end
	error(("%s: expected %s, got %s"):format(what, tostring(expected), tostring(got)), 2)
end

-- Starts the platform. Gives what its subscriber saw: { vmid, state, info }.
local function start(s)
	local seen, started = {}, nil
	s.platform:subscribe(function(vmid, state, info)
		table.insert(seen, { vmid = vmid, state = state, info = info })
	end)
	s.platform:on_lost(function() error "the engine has ended" end)
	s.platform:start(function(ok, err) started = ok or err end)
	local function is_ready() return started and seen[#seen] and seen[#seen].state == "ready" end
	s.wait(is_ready, "the program")
	equal(true, started, "start()")
	equal(0, seen[#seen].vmid, "vmid of the program")
	return seen
end

-- Makes n clones. Gives what clone() answered, as { vmids =, err =, code =, at = seen by then }.
local function clone(s, seen, n)
	local answer
	s.platform:clone(n, function(vmids, err, code)
		assert(not answer, "clone() has answered twice")
		answer = { vmids = vmids, err = err, code = code, at = #seen }
	end)
	equal(nil, answer, "an answer inside of clone()")
	s.wait(function() return answer end, "the answer of clone()")
	return answer
end

-- The states of one domain, joined.
local function states(seen, vmid)
	local list = {}
	for _, change in ipairs(seen) do
		if change.vmid == vmid then list[#list + 1] = change.state end
	end
	return table.concat(list, " ")
end

case("reports its kind and its port", function(s)
	assert(s.platform.kind == "outside" or s.platform.kind == "inside", "kind")
	equal("integer", math.type(s.platform.port), "type of port")
end)

case("starts the program, which is ready at an address", function(s)
	local seen = start(s)
	local info = seen[#seen].info
	equal("string", type(info.ip), "type of ip")
	equal(s.platform.port, info.port, "port")
end)

case("makes clones: each starts, then is ready; then clone() answers", function(s)
	local seen = start(s)
	local before = #seen
	local answer = clone(s, seen, 2)
	equal(nil, answer.err, "error")
	equal(2, #answer.vmids, "number of vmids")
	equal(#seen, answer.at, "changes before the answer")
	table.sort(answer.vmids)
	local starting = {}
	for i = before + 1, #seen do
		if seen[i].state == "starting" then starting[#starting + 1] = seen[i].vmid end
		if seen[i].state == "ready" then
			equal("string", type(seen[i].info.ip), "type of ip")
			equal(s.platform.port, seen[i].info.port, "port")
		end
	end
	for i, vmid in ipairs(answer.vmids) do
		equal("starting ready", states(seen, vmid), "states")
		equal(vmid, starting[i], "order in which they start")
	end
end)

case("gives no number twice", function(s)
	local seen = start(s)
	local first = clone(s, seen, 1).vmids[1]
	s.platform:stop(first, 0)
	s.wait(function() return states(seen, first):find "ended" end, "the end of a clone")
	assert(clone(s, seen, 1).vmids[1] > first, "a newer clone has a higher number")
end)

case("ends a clone, with the reason", function(s)
	local seen = start(s)
	local vmid, ended = clone(s, seen, 1).vmids[1], nil
	s.platform:stop(vmid, 1000, function(ok, err) ended = ok or err end)
	equal(nil, ended, "an answer inside of stop()")
	s.wait(function() return ended and states(seen, vmid):find "ended" end, "the end of a clone")
	equal(true, ended, "stop()")
	equal("starting ready ended", states(seen, vmid), "states")
	local info = seen[#seen].info
	assert(info.signal or info.status, "signal or status")
	assert(#info.text > 0, "text")
end)

case("answers with the clones that exist, an error and its code when there are fewer", function(s)
	local seen = start(s)
	local answer = clone(s, seen, 3)
	assert(#answer.vmids < 3, "too many vmids")
	equal("string", type(answer.err), "type of the error")
	equal("GC_EDENIED", answer.code, "code")
	for _, vmid in ipairs(answer.vmids) do equal("starting ready", states(seen, vmid), "states") end
end, { denied = true })

case("takes what a controller reports, and closes", function(s)
	start(s)
	s.platform:on_command(function() end)
	s.platform:on_metric(function() end)
	s.platform:event("decision", nil, "one", { wanted = 1 })
	s.platform:event("ready", 1, "one", nil)
	if s.platform.report then s.platform:report { sessions = 0 } end -- a platform may want none
	local closed
	s.platform:close(0, function() closed = true end)
	s.wait(function() return closed end, "the end")
end)

return contract
