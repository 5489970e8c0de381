-- The engines that are running, found and asked through their control sockets in the state folder.

local core = require "gridcentric.core"
local engine_program = require "gridcentric.cli.engine_program"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local units = require "gridcentric.util.units"
local uv = require "luv"

local engines = {}

local ANSWER_MS = 2000 -- an engine in order answers within a millisecond

---@class gridcentric.EngineState
---@field name string of the service
---@field pid integer of the engine
---@field path string its control socket
---@field error string? why the engine did not answer; then the fields below are missing
---@field cpus integer of all engines that share the state folder
---@field free integer
---@field domains gridcentric.Domain[]
---@field report gridcentric.Report? of the controller, if there is one

-- Sorted by name.
local function find_sockets(dir)
	local entries, err, code = uv.fs_scandir(dir)
	if not entries then
		if code == "ENOENT" then return {} end
		return nil, ("the state folder cannot be read: %s"):format(err:gsub("^%w+: ", ""))
	end
	local found = {}
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

-- By the service's name, or, where several services share one, with the pid, as in the ledger.
local function is_meant(socket, name)
	return not name or socket.name == name or ("%s-%d"):format(socket.name, socket.pid) == name
end

-- Why there is no answer, without the names of errors and files.
local function explain(err, code, timeout_ms)
	if code == "ETIMEDOUT" then
		return ("no answer within %s"):format(units.show(timeout_ms / 1000, "s"))
	end
	return (err:match "^%u+: .*: (.-)$" or err)
end

---Sends an engine a request, and waits for the answer.
---@param engine gridcentric.EngineState
---@param command string? JSON for the controller; nil: the engine's own state
---@param timeout_ms integer
---@return any answer
---@return string? err
---@return string? code
function engines.ask(engine, command, timeout_ms)
	local answer, err, code = core.control(engine.path, command, timeout_ms)
	if answer then return answer end
	-- EPERM stands for a refusal by the service; its text is behind the name of the error
	if code == "EPERM" then return nil, (err:gsub("^EPERM: ", "")), code end
	return nil, explain(err, code, timeout_ms), code
end

-- Fills in the engine's state, or its error. False for a socket that a dead engine left.
local function fill_in(engine)
	local answer, err, code = engines.ask(engine, nil, ANSWER_MS)
	if not answer then
		engine.error = err
		return code ~= "ECONNREFUSED" and code ~= "ENOENT"
	end
	engine.cpus, engine.free, engine.domains = answer.cpus, answer.free, answer.domains
	engine.report = json.decode(answer.report)
	return true
end

---Asks all engines, or those of one service. Blocks.
---@param name string? "chat" or "chat-4711"
---@return gridcentric.EngineState[]? states
---@return string? err nil where it was reported already
function engines.states(name)
	local dir, err = engine_program.state_folder()
	if not dir then return nil, err end
	if dir == "" then return {} end
	local sockets, unreadable = find_sockets(dir)
	if not sockets then return nil, unreadable end
	local states = {}
	for _, engine in ipairs(sockets) do
		if is_meant(engine, name) and fill_in(engine) then states[#states + 1] = engine end
	end
	return states
end

---Says that there is no such service.
---@param name string?
---@return string
function engines.none(name)
	return name and ("no service %s runs"):format(name) or "nothing runs"
end

---"chat-4711, chat-4712"
---@param found gridcentric.EngineState[]
---@return string
function engines.names(found)
	local names = {}
	for i, engine in ipairs(found) do names[i] = ("%s-%d"):format(engine.name, engine.pid) end
	return table.concat(names, ", ")
end

---Chooses the one engine that is meant.
---@param name string?
---@return gridcentric.EngineState?
---@return integer? status to exit with, where there is none or more than one
---@return string? err
function engines.choose(name)
	local found, err = engines.states(name)
	if not found then return nil, exit.FAILED, err end
	if #found == 0 then return nil, exit.NOTHING, engines.none(name) end
	if #found == 1 then return found[1] end
	return nil, exit.USAGE, ("several services are running; choose one with --name: %s"):format(
		engines.names(found))
end

return engines
