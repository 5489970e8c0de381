-- gcscale: the commands.

local version = require "gridcentric.version"

local cli = {}

-- Each loads only what it needs: gcscale is to answer at once.
local commands = {}

for _, name in ipairs { "run", "why", "check", "record", "replay", "image" } do
	commands[name] = function(args, terminal)
		return require("gridcentric.cli." .. name)(args, terminal)
	end
end

commands["run-image"] = function(args, terminal)
	return require "gridcentric.cli.run_image"(args, terminal)
end

function commands.status(args, terminal)
	return require("gridcentric.cli.status").run(args, terminal)
end

for _, what in ipairs { "tickets", "events" } do
	commands[what] = function(args, terminal)
		return require("gridcentric.cli.history").run(what, args, terminal)
	end
end

for _, name in ipairs { "reload", "pause", "resume", "scale", "drain", "kill" } do
	commands[name] = function(args) return require("gridcentric.cli.operate")(args) end
end

---@param args string[] the command line
---@return integer exit status
function cli.main(args)
	local parsed = require "gridcentric.cli.parser"(args, version)
	return commands[parsed.command](parsed, require("gridcentric.cli.terminal").stdout())
end

return cli
