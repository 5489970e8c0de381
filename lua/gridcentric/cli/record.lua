-- gcscale record: writes a trace of a running service, until a signal or the service's end.
--
-- The service keeps a row for each time that its policy is asked, as long as somebody fetches the
-- rows. Here they are fetched twice a second through the control socket.

local engines = require "gridcentric.cli.engines"
local exit = require "gridcentric.cli.exit"
local json = require "gridcentric.util.json"
local plural = require "gridcentric.util.plural"
local uv = require "luv"

local FETCH_MS = 500
local ANSWER_MS = 5000

-- Rows behind the last one, or nil and what is wrong; no text if the service has ended.
local function fetch(engine, last)
	local command = json.encode { command = "trace", after = last }
	local answer, err, code = engines.ask(engine, command, ANSWER_MS)
	if answer then return json.decode(answer) end
	local has_ended = code == "ECONNREFUSED" or code == "ENOENT" or code == "ECONNRESET"
	return nil, not has_ended and err or nil
end

---@class gridcentric.Recording
---@field engine gridcentric.EngineState
---@field file file*
---@field last integer? number of the last row that was fetched
---@field rows integer
---@field is_over boolean?
---@field err string?

local function write(recording, text)
	local ok, err = recording.file:write(text)
	if ok then ok, err = recording.file:flush() end
	if not ok then
		recording.is_over, recording.err = true, "the trace cannot be written: " .. err
	end
end

-- Fetches all rows that there are.
local function fetch_all(recording)
	repeat
		local got, err = fetch(recording.engine, recording.last)
		if not got then
			recording.is_over, recording.err = true, err
			return
		end
		if got.lost > 0 then
			io.stderr:write(("gcscale: %s missing\n"):format(
				got.lost == 1 and "1 row is" or ("%d rows are"):format(got.lost)))
		end
		local is_first, last = not recording.last, math.tointeger(got.last)
		if not is_first then recording.rows = recording.rows + last - recording.last - got.lost end
		recording.last = last
		write(recording, is_first and got.columns .. "\n" or got.rows)
	until not got.more or recording.is_over
end

-- Until it is over, or a signal comes.
local function run(recording)
	fetch_all(recording)
	local timer = uv.new_timer()
	for _, name in ipairs { "sigint", "sigterm", "sighup" } do
		uv.new_signal():start(name, function()
			fetch_all(recording)
			uv.stop()
		end)
	end
	timer:start(FETCH_MS, FETCH_MS, function()
		fetch_all(recording)
		if recording.is_over then uv.stop() end
	end)
	if not recording.is_over then uv.run() end
end

---@param args { name: string?, output: string }
---@return integer exit status
return function(args)
	local engine, status, err = engines.choose(args.name)
	if not engine then return exit.fail(status, err) end
	local file, wrong = io.stdout, nil
	if args.output ~= "-" then file, wrong = io.open(args.output, "w") end
	if not file then return exit.fail(exit.FAILED, wrong) end
	local recording = { engine = engine, file = file, rows = 0 }
	run(recording)
	if recording.err then return exit.fail(exit.FAILED, recording.err) end
	io.stderr:write(("gcscale: %s of %s\n"):format(plural.count(recording.rows, "row"), engine.name))
	return exit.OK
end
