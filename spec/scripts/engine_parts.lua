-- Parts of an engine in a process of their own: runs each line of stdin as Lua with
-- `core`, prints "=" and what it returned; prints "!", id and what it was for each
-- event. Ends with stdin. For the lines there is also
--
--	turns()    how many times the loop had something to do
--	busy()     from here on it takes and gives back CPUs without a rest
--	rounds()   how many times it did
--	many(n)    n events for the ledger, with the numbers from 2 on

local uv = require "luv"

local turns, rounds, is_busy = 0, 0, false

local function say(mark, ...)
	local values = table.pack(...)
	for i = 1, values.n do values[i] = tostring(values[i]) end
	io.stdout:write(mark, "\t", table.concat(values, "\t"), "\n")
	io.stdout:flush()
end

local core

local function ask()
	return core:request{ maxcpus = 4, minvms = 1, mincpuspervm = 1, timeout_ms = 0 }
end

core = require("gridcentric.engine_parts").new(function(what, id, ...)
	if not is_busy then return say("!", id, what, ...) end
	if what == "granted" then core:release(id, (...)) end
	rounds = rounds + 1
	ask()
end)

local poll = uv.new_poll(core:fd())
poll:start("r", function() turns = turns + core:turn() end)

local environment = {
	core = core,
	os = os,
	turns = function() return turns end,
	rounds = function() return rounds end,
	many = function(n)
		for i = 2, n + 1 do core:event("e", i, "", "") end
	end,
	busy = function()
		is_busy = true
		return ask()
	end,
}

local stdin = uv.new_pipe(false)
stdin:open(0)
local text = ""
stdin:read_start(function(err, data)
	assert(not err, err)
	if not data then
		core:close()
		os.exit(0)
	end
	text = text .. data
	for line in text:gmatch("([^\n]*)\n") do
		say("=", assert(load("return " .. line, "stdin", "t", environment))())
	end
	text = text:match("[^\n]*$")
end)
uv.run()
