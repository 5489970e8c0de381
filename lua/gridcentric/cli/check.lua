-- gcscale check: checks a policy file, and shows what it would do. Opens no socket and starts no
-- process; but the file is code, and is executed.

local app = require "gridcentric.config.app"
local check = require "gridcentric.config.check"
local columns = require "gridcentric.cli.columns"
local exit = require "gridcentric.cli.exit"
local host_port = require "gridcentric.util.host_port"
local plural = require "gridcentric.util.plural"
local policy = require "gridcentric.config.load"
local printable = require "gridcentric.util.printable"
local units = require "gridcentric.util.units"
local uv = require "luv"

local TITLES = {
	{ title = "SESSIONS", right = true }, { title = "DESIRED", right = true },
	{ title = "WANTED", right = true }, { title = "REASON" }, { title = "LIMIT" },
}

local MAX_REASON = 500 -- bytes that are shown of what a policy says

local function cells(row)
	return {
		tostring(row.sessions), tostring(row.desired or ""), tostring(row.wanted or ""),
		printable.line(row.reason, MAX_REASON), row.limit or "",
	}
end

-- The virtual machine, as far as it is known without booting it.
local function show_image(p)
	local bytes = uv.fs_stat(p.app.image).size
	print(("image %s, %s: machines of %d MiB and %s, accel %s, program on port %d"):format(
		app.name(p), units.show(bytes, "B"), p.app.memory, plural.count(p.app.cpus, "CPU"), p.app.accel,
		p.app.port))
end

local function show(p, rows, terminal)
	print(("%s: %s on %s, %d to %s, route %s"):format(p.name, p.mode,
		host_port.show(p.listen.host, p.listen.port), p.clones.min,
		plural.count(p.clones.max, "clone"), p.route.name))
	if p.backend == "qemu" then show_image(p) end
	local shown = {}
	for i, row in ipairs(rows) do shown[i] = cells(row) end
	print(table.concat(columns.lay_out(TITLES, shown, terminal.width), "\n"))
end

---@param args { policy: string }
---@param terminal gridcentric.Terminal
---@return integer exit status
return function(args, terminal)
	local p, wrong = policy.load(args.policy)
	if not p then return exit.fail(exit.POLICY, wrong) end
	local all_ok = true
	for _, one in ipairs { p, p.shadow } do
		local rows, ok = check.rows(one, os.time())
		if one == p.shadow then print "\nshadow:" end
		show(one, rows, terminal)
		all_ok = all_ok and ok
	end
	if all_ok then return exit.OK end
	return exit.fail(exit.POLICY, args.policy .. ": the policy fails")
end
