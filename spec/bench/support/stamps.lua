-- Reads what lua_stamps.c wrote: which function was entered and left when, in which process.
--
--	local log = stamps.read(path, pids)     pids: the processes whose functions have names
--	log[i] = { at = ns, pid =, kind = "enter"|"exit"|"fork"|"forked"|"mark", what = name or number }

local stamps = {}

local KINDS = { [0] = "enter", "exit", "fork", "forked", "mark" }
local MARKS = { "call", "clone", "master" } -- as in programs/program.lua
local HEAD, STAMP = 8, 24 -- bytes

-- Where in memory a process has the start of our files.
local function find_files(pid)
	local found = {}
	for line in io.lines(("/proc/%d/maps"):format(pid)) do
		local start, offset, path = line:match("^(%x+)%-%x+ %S+ (%x+) %S+ %d+%s+(/.*)$")
		local is_ours = path and path:find("/stamped/lib/", 1, true)
		if is_ours and tonumber(offset, 16) == 0 then found[path] = tonumber(start, 16) end
	end
	return found
end

-- The functions of a file, by their place in it.
local function add_names(names, path, start)
	local pipe = assert(io.popen(("nm '%s'"):format(path)))
	for line in pipe:lines() do
		local place, name = line:match("^(%x+) [tT] ([%w_]+)")
		if place then names[start + tonumber(place, 16)] = name end
	end
	pipe:close()
end

---What the addresses of these processes, and of their clones, mean.
---@param pids integer[]
---@return table<integer, string>
function stamps.names(pids)
	local names = {}
	for _, pid in ipairs(pids) do
		for path, start in pairs(find_files(pid)) do add_names(names, path, start) end
	end
	return names
end

---@param path string
---@param names table<integer, string>
---@return table[]
function stamps.read(path, names)
	local file = assert(io.open(path, "rb"))
	local n = ("<I8"):unpack(file:read(HEAD))
	local data = file:read(n * STAMP)
	file:close()
	assert(#data == n * STAMP, "more stamps than fit into the file")
	local log = {}
	for i = 1, n do
		local at, what, pid, kind = ("<I8I8I4I4"):unpack(data, (i - 1) * STAMP + 1)
		kind = KINDS[kind]
		log[i] = { at = at, pid = pid, kind = kind,
			what = kind == "mark" and MARKS[what] or names[what] or what }
	end
	table.sort(log, function(a, b) return a.at < b.at end)
	return log
end

return stamps
