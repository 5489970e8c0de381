-- gcscale: runs a command.

local version = require "gridcentric.version"

local cli = {}

-- By name. Each loads only what it needs, so that gcscale answers at once.
local handlers = {}

for _, name in ipairs { "run", "why", "check", "record", "replay", "image" } do
	handlers[name] = function(args, terminal)
		return require("gridcentric.cli." .. name)(args, terminal)
	end
end

handlers["run-image"] = function(args, terminal)
	return require "gridcentric.cli.run_image"(args, terminal)
end

function handlers.status(args, terminal)
	return require("gridcentric.cli.status").run(args, terminal)
end

for _, what in ipairs { "tickets", "events" } do
	handlers[what] = function(args, terminal)
		return require("gridcentric.cli.history").run(what, args, terminal)
	end
end

for _, name in ipairs { "reload", "pause", "resume", "scale", "drain", "kill" } do
	handlers[name] = function(args) return require "gridcentric.cli.operate"(args) end
end

---@param args string[] the command line
---@return integer exit status
function cli.main(args)
	local parsed = require "gridcentric.cli.parser"(args, version)
	return handlers[parsed.command](parsed, require("gridcentric.cli.terminal").stdout())
end

return cli
