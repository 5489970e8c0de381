-- A process that has mapped the memory of a VM, as QEMU does: its descriptor 9, of so
-- many bytes, shared or private. Runs each line of stdin as Lua, where `map` is what
-- engine_ram.map gave, and prints "=" and what it returned, or "!" and the error.

local engine_ram = require "gridcentric.engine_ram"

local size, kind = math.tointeger(tonumber(arg[1])), arg[2]
local env = { map = engine_ram.map(9, size, kind == "private") }

local function say(ok, value)
	io.stdout:write(ok and "=" or "!", "\t", tostring(value), "\n")
	io.stdout:flush()
end

for line in io.lines() do say(pcall(assert(load("return " .. line, "stdin", "t", env)))) end
