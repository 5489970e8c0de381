-- gcscale reload, pause, resume, scale, drain, kill: commands for a running service.

local engines = require "gridcentric.cli.engines"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local printable = require "gridcentric.util.printable"

local ANSWER_MS = 5000 -- a policy file may take some time to load

---@param args { command: string, name: string?, vmid: integer?, clones: integer? }
---@return integer exit status
return function(args)
	local engine, status, err = engines.choose(args.name)
	if not engine then return exit.fail(status, err) end
	local command = json.encode { command = args.command, vmid = args.vmid, clones = args.clones }
	local answer, wrong = engines.ask(engine, command, ANSWER_MS)
	if not answer then return exit.fail(exit.FAILED, ("%s: %s"):format(engine.name, wrong)) end
	print(("%s: %s"):format(engine.name, printable.lines(answer)))
	return exit.OK
end
