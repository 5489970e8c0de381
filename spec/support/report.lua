-- A busted output handler: writes each event, as it happens, as a line of JSON to
-- the file GRIDCENTRIC_REPORT. So spec/run.lua sees how far a process came that
-- crashed or hung.

local json = require "dkjson"
local busted = require "busted"
local base = require "busted.outputHandlers.base"

return function()
	local handler = base()
	local file = assert(io.open(assert(os.getenv("GRIDCENTRIC_REPORT")), "w"))
	file:setvbuf("no")

	local function write(event) file:write(json.encode(event), "\n") end

	local function problem(element, parent, message, trace)
		local text = type(message) == "string" and message or tostring(message)
		local failure = handler.format(element, parent, text, trace)
		write{ event = "problem", name = failure.name, message = text }
		return nil, true
	end

	local function start(element)
		write{ event = "start", name = handler.getFullName(element) }
		return nil, true
	end

	local reason
	local function pending(_, _, message)
		reason = message
		return nil, true
	end

	local function finish(element, _, status)
		local name = handler.getFullName(element)
		write{ event = status, name = name, message = status == "pending" and reason or nil,
			ms = math.floor((element.duration or 0) * 1000) }
		reason = nil
		return nil, true
	end

	busted.subscribe({ "test", "start" }, start)
	busted.subscribe({ "test", "end" }, finish)
	busted.subscribe({ "pending" }, pending)
	busted.subscribe({ "failure" }, problem)
	busted.subscribe({ "error" }, problem)
	busted.subscribe({ "exit" }, function()
		write{ event = "exit" }
		return nil, true
	end)
	return { subscribe = function() end }
end
