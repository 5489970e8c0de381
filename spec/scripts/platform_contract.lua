-- A platform that is not played, in one case of its contract: spec/platform/contract.lua.
--
--	lua5.4 platform_contract.lua NUMBER PROGRAM PORT
--
-- Prints "contract: ok", or what is wrong.

local async = require "gridcentric.platform.async"
local contract = require "spec.platform.contract"
local platform = require "gridcentric.platform"
local uv = require "luv"

local case, program, port = contract[tonumber(arg[1])], arg[2], tonumber(arg[3])

-- Turns the loop until the predicate holds; the spec that started this one limits the time.
local function wait(predicate)
	while not predicate() do uv.run "once" end
end

local subject = assert(platform.outside {
	name = "contract", script = program, port = port, dir = "/", args = { "127.0.0.1:" .. port },
})
async.hold() -- the loop waits also while no operation is under way
local ok, err = pcall(case.check, { platform = subject, wait = wait })
print("contract: " .. (ok and "ok" or err))
io.stdout:flush()
os.exit(ok and 0 or 1)
