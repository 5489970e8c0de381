-- gcscale reload, pause, resume, scale, drain, kill: told to a service that runs.

local core = require "gridcentric.core"
local engines = require "gridcentric.cli.engines"
local exit = require "gridcentric.cli.exit"
local json = require "dkjson"

local ANSWER_MS = 5000 -- a policy file may take some time to load

---@param args { command: string, name: string?, vmid: integer?, clones: integer? }
---@return integer exit status
return function(args)
	local engine, status, err = engines.choose(args.name)
	if not engine then return exit.fail(status, err) end
	local command = json.encode { command = args.command, vmid = args.vmid, clones = args.clones }
	local answer, wrong, code = core.control(engine.path, command, ANSWER_MS)
	if answer then
		print(("%s: %s"):format(engine.name, answer))
		return exit.OK
	end
	-- The name of the error is that of the border: what the service says stands behind it.
	wrong = code == "EPERM" and wrong:gsub("^EPERM: ", "") or wrong
	return exit.fail(exit.FAILED, ("%s: %s"):format(engine.name, wrong))
end
