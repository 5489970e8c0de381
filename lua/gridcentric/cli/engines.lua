-- The engines that run now, found and asked through their control sockets in the state folder.

local core = require "gridcentric.core"
local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local json = require "dkjson"
local uv = require "luv"

local engines = {}

local ANSWER_MS = 2000 -- an engine answers within a millisecond, if it can

---@class gridcentric.EngineState
---@field name string of the service
---@field pid integer of the engine
---@field path string its control socket
---@field cpus integer of all engines that share the state folder
---@field free integer
---@field domains gridcentric.Domain[]
---@field report gridcentric.Report? of the controller, if there is one

local function sockets(dir)
	local found = {}
	local entries = uv.fs_scandir(dir)
	if not entries then return found end
	for file in uv.fs_scandir_next, entries do
		local name, pid = file:match("^(.*)%-(%d+)%.sock$")
		if name then
			found[#found + 1] = { name = name, pid = math.tointeger(pid), path = dir .. "/" .. file }
		end
	end
	table.sort(found, function(a, b)
		if a.name ~= b.name then return a.name < b.name end
		return a.pid < b.pid
	end)
	return found
end

-- By the service's name, or by that and the pid, as in the ledger, where several have one name.
local function is_meant(socket, name)
	return not name or socket.name == name or ("%s-%d"):format(socket.name, socket.pid) == name
end

---Asks all engines, or those of one service. Blocks. A socket that a dead engine left is passed
---over.
---@param name string? "chat" or "chat-4711"
---@return gridcentric.EngineState[]? states
---@return string? err
function engines.states(name)
	local dir, err = engine_program.print "state"
	if not dir then return nil, err end
	dir = dir:gsub("\n$", "")
	if dir == "" then return {} end
	local states = {}
	for _, socket in ipairs(sockets(dir)) do
		if is_meant(socket, name) then
			local state, why, code = core.control(socket.path, nil, ANSWER_MS)
			if state then
				state.name, state.pid, state.path = socket.name, socket.pid, socket.path
				state.report = json.decode(state.report)
				states[#states + 1] = state
			elseif code ~= "ECONNREFUSED" and code ~= "ENOENT" then
				return nil, ("%s: %s"):format(socket.path, why)
			end
		end
	end
	return states
end

local function names_of(found)
	local names = {}
	for i, engine in ipairs(found) do names[i] = ("%s-%d"):format(engine.name, engine.pid) end
	return table.concat(names, ", ")
end

---The one engine that is meant.
---@param name string?
---@return gridcentric.EngineState?
---@return integer? status to exit with, where there is none or more than one
---@return string? err
function engines.choose(name)
	local found, err = engines.states(name)
	if not found then return nil, exit.FAILED, err end
	if #found == 1 then return found[1] end
	if #found == 0 then
		return nil, exit.NOTHING, name and ("no service %s runs"):format(name) or "nothing runs"
	end
	return nil, exit.USAGE, "several services run: choose one with --name: " .. names_of(found)
end

return engines
