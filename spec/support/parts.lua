-- The parts of the engine one by one (spec/c/engine_parts.c), turned by the luv loop.
--
--	local p = parts.open(t)            p.core: the methods of engine_parts
--	p:close()                          done at the end of the run in any case
--	p:answer(id, deadline_ms)          waits for the event of a request or a hook; gives
--	                                   its name and its values
--	local other = parts.spawn(t, env)  the same in a process of its own
--	other:run("core:request{ ... }")   gives what it returned, as texts
--	other:answer(id, deadline_ms)      as above, as texts
--	other.process                      to be killed or stopped

local uv = require "luv"
local paths = require "spec.support.paths"

local parts = {}

local Parts = {}
Parts.__index = Parts

function Parts:close()
	if self.poll:is_closing() then return end
	self.poll:close()
	self.core:close()
end

function Parts:answer(id, deadline_ms)
	local event = self.t.wait_until(function() return self.events[id] end, deadline_ms,
		"the answer to " .. tostring(id))
	return table.unpack(event, 1, event.n)
end

function parts.open(t)
	local self = setmetatable({ t = t, events = {} }, Parts)
	self.core = require("gridcentric.engine_parts").new(function(what, id, ...)
		assert(not self.events[id], "answered twice")
		self.events[id] = table.pack(what, ...)
	end)
	self.poll = uv.new_poll(self.core:fd())
	self.poll:start("r", function() self.core:turn() end)
	t.defer(function() self:close() end)
	return self
end

local Other = {}
Other.__index = Other

local function fields(line)
	local values = {}
	for value in line:gmatch("[^\t]+") do values[#values + 1] = value end
	return table.unpack(values)
end

function Other:run(chunk)
	assert(self.process:write(chunk .. "\n"))
	return fields(self.process:line("^=\t(.*)"))
end

-- Answers are taken in the order of ids here.
function Other:answer(id, deadline_ms)
	return fields(self.process:line("^!\t" .. id .. "\t(.*)", deadline_ms))
end

function parts.spawn(t, env)
	local process = t.spawn{ "lua5.4", paths.scripts .. "/engine_parts.lua", env = env, stdin = true }
	return setmetatable({ process = process }, Other)
end

---Reason for a test to be skipped where it cannot make another user's files.
---@return string?
function parts.needs_root()
	return uv.getuid() ~= 0 and "needs root" or nil
end

---Reason for a test to be skipped where it cannot mount something: also in a chroot
---whose root is no mount point.
---@return string?
function parts.needs_mounts()
	if parts.needs_root() then return parts.needs_root() end
	return not os.execute "unshare -m true 2>/dev/null" and "needs `unshare -m`" or nil
end

---Reason for a test to be skipped where processes cannot be watched.
---@return string?
function parts.needs_pidfd()
	local preloaded = os.getenv("LD_PRELOAD") or ""
	return preloaded:find("vgpreload", 1, true) and "this valgrind does not know pidfds" or nil
end

return parts
