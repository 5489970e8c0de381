-- What an operator may ask of a service that runs: the commands of gcscale that come through the
-- control socket, {"command": "drain", "vmid": 3}.

local guard = require "gridcentric.util.guard"
local json = require "gridcentric.util.json"
local plural = require "gridcentric.util.plural"
local pool = require "gridcentric.controller.pool"

local commands = {}

-- Each returns true and an answer, or false and what is wrong.
---@type table<string, fun(c: gridcentric.Controller, args: table): boolean, string>
local COMMANDS = {}

function COMMANDS.status(c) return true, json.encode(c:report()) end

function COMMANDS.reload(c) return c:reload() end

local function hold(c, how, text)
	c.event("hold", nil, text)
	c:hold(how)
	return true, text
end

function COMMANDS.pause(c)
	return hold(c, "paused", "paused: no clone is made or ended")
end

function COMMANDS.resume(c)
	return hold(c, nil, "the policy decides again")
end

function COMMANDS.scale(c, args)
	local n, max = math.tointeger(args.clones), c.policy.clones.max
	if not n or n < 0 then return false, "scale: a number of clones expected" end
	if n > max then return false, ("scale: clones.max is %d"):format(max) end
	return hold(c, n, "held at " .. plural.count(n, "clone"))
end

local function find(c, args)
	local vmid = math.tointeger(args.vmid)
	if not vmid then return nil, "the number of a clone expected" end
	if vmid == 0 then return nil, "0 is the program, which clones are made from" end
	local clone = c.fleet.pool.by_vmid[vmid]
	return clone, ("there is no clone %d"):format(vmid)
end

function COMMANDS.drain(c, args)
	local clone, err = find(c, args)
	if not clone then return false, err end
	if not pool.is_served(clone) then return false, ("clone %d ends already"):format(clone.vmid) end
	local n = clone.connections
	c.fleet.retirement:retire(clone, "asked to by an operator")
	c:react()
	return true, ("clone %d is ended after its connections (%d)"):format(clone.vmid, n)
end

function COMMANDS.kill(c, args)
	local clone, err = find(c, args)
	if not clone then return false, err end
	c.fleet.retirement:kill(clone, "asked to by an operator")
	c:react()
	return true, ("clone %d is killed"):format(clone.vmid)
end

-- The names of the user's own metrics that there are, or that the policy asks for.
local function own_metrics(c)
	local names, seen = {}, {}
	for _, group in ipairs { c.sample().my, c.policy.metrics } do
		for name in pairs(group) do
			if not seen[name] then names[#names + 1] = name end
			seen[name] = true
		end
	end
	table.sort(names)
	return names
end

-- Rows of the recording behind the last one that was fetched; the first time it begins. They are
-- bounded already, and must not be cut.
function COMMANDS.trace(c, args)
	local recorded = c.recorder:fetch(math.tointeger(args.after), own_metrics(c))
	return true, json.encode(recorded, math.huge)
end

---@param c gridcentric.Controller
---@param command table decoded
---@return boolean ok
---@return string answer or what is wrong
function commands.run(c, command)
	local fn = COMMANDS[command.command]
	if not fn then return false, ("unknown command: %s"):format(command.command) end
	local ok, is_done, answer = xpcall(fn, guard.traceback, c, command)
	if ok then return is_done, answer end
	c.log.error(is_done)
	return false, ("%s failed: %s"):format(command.command, is_done:match "^[^\n]*")
end

return commands
