-- A program that is cloned while names are being looked up, by clones that look one up, too.
--
--	LD_PRELOAD=spec_slow_names.so lua5.4 names.lua CLONES LOOKUPS [GENERATIONS]
--
-- LOOKUPS are under way whenever a clone is made. With GENERATIONS, each clone makes one of its
-- own, which does the same, and only the last generation looks one up, and counts. Prints
-- "N of CLONES".

local async = require "gridcentric.platform.async"
local gc = require "gridcentric"
local uv = require "luv"

local wanted, lookups, generations = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3] or 1)
local FOUND = 7 -- exit status of a clone whose lookup was answered

local clone_one
local gate -- the lookups end when this is closed

local function keep_busy()
	local ends = uv.pipe({}, {})
	gate = ends.write
	uv.os_setenv("SLOW_NAMES_FD", ("%d"):format(ends.read))
	for _ = 1, lookups do uv.getaddrinfo("slow", nil, {}, function() end) end
end

local function finish(status)
	if gate then uv.fs_close(gate) end
	os.exit(status)
end

local function as_clone(generation)
	gate = nil
	if generation < generations then
		keep_busy()
		return clone_one(generation + 1)
	end
	uv.getaddrinfo("localhost", nil, {}, function(err) finish(err and 1 or FOUND) end)
end

function clone_one(generation)
	gc.request_ticket(1, 1, 1, 20000, function(ticket, err)
		assert(ticket, err)
		gc.clone(ticket, function(vmid, clone_err)
			if vmid < 0 then error(clone_err) end
			if vmid > 0 then return as_clone(generation) end
		end)
	end)
end

local found, ended = 0, 0
async.on("domain", function(_, vmid, state, info)
	if state ~= "ended" then return end
	if info.status == FOUND then found = found + 1 end
	if generations > 1 and info.status ~= FOUND then return end -- an inner one
	ended = ended + 1
	if ended < wanted then return clone_one(1) end
	print(("%d of %d"):format(found, wanted))
	finish(0)
end)

keep_busy()
clone_one(1)
uv.run()
