-- The memory of a process, in KB.

local memory = {}

local function fields(path)
	local file = assert(io.open(path))
	local found = {}
	for name, kb in file:read("a"):gmatch("([%w_]+):%s+(%d+) kB") do found[name] = tonumber(kb) end
	file:close()
	return found
end

---@param pid integer
---@return { rss: integer, anon: integer, file: integer } resident: all, its own, of files
function memory.resident(pid)
	local f = fields(("/proc/%d/status"):format(pid))
	return { rss = f.VmRSS, anon = f.RssAnon, file = f.RssFile + f.RssShmem }
end

---Pages that no other process has.
---@param pid integer
---@return integer
function memory.private(pid)
	local f = fields(("/proc/%d/smaps_rollup"):format(pid))
	return f.Private_Clean + f.Private_Dirty
end

---What it takes, where pages that n processes have count a n-th.
---@param pid integer
---@return { all: integer, anon: integer }
function memory.proportional(pid)
	local f = fields(("/proc/%d/smaps_rollup"):format(pid))
	return { all = f.Pss, anon = f.Pss_Anon }
end

---The part of its own memory that lies in huge pages.
---@param pid integer
---@return integer
function memory.huge(pid)
	return fields(("/proc/%d/smaps_rollup"):format(pid)).AnonHugePages
end

return memory
