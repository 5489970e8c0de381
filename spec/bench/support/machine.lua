-- The machine that the numbers are from.

local uv = require "luv"

local function first_line(command)
	local pipe = assert(io.popen(command .. " 2>&1"))
	local line = pipe:read("l")
	pipe:close()
	return line or "?"
end

local function read(path)
	local file = io.open(path)
	local text = file and file:read("a")
	if file then file:close() end
	return text or ""
end

---@return table<string, string|integer|number>
return function()
	local name = uv.os_uname()
	local cpus = uv.cpu_info()
	return {
		cpu = cpus[1].model:gsub("%s+", " "),
		cores = #cpus,
		memory_gb = math.floor(uv.get_total_memory() / 2 ^ 30 + 0.5),
		kernel = ("%s %s %s"):format(name.sysname, name.release, name.machine),
		virtual = read("/proc/cpuinfo"):find("hypervisor") ~= nil,
		huge_pages = read("/sys/kernel/mm/transparent_hugepage/enabled"):match("%[(%a+)%]") or "none",
		load_before = (uv.loadavg()),
		lua = first_line("lua5.4 -v"):match("Lua (%S+)"),
		luv = first_line("dpkg-query -Wf '${Version}' lua-luv"):match("^%d%S*") or "?",
		libuv = uv.version_string(),
		haproxy = first_line("haproxy -v"):match("version (%S+)") or "none",
		wrk = first_line("wrk -v"):match("wrk %a*/?(%S+)") or "none",
		date = os.date("!%Y-%m-%d"),
	}
end
