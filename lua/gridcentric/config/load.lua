-- Policy files: read, checked, asked.
--
--	return {
--		listen = "127.0.0.1:8080",
--		app = { script = "server.lua" },
--		clones = { max = 16 },
--		scale = ratio { metric = "sessions", per_clone = 2 },
--	}
--
-- The file is Lua and is run in a sandbox, with copies of the standard library and the ready
-- policies as globals. Its heart is `scale`, a pure function (now, sample, state) -> desired number
-- of clones, reason.

local uv = require "luv"
local app = require "gridcentric.config.app"
local decide = require "gridcentric.config.decide"
local environment = require "gridcentric.policy.sandbox.environment"
local globals = require "gridcentric.config.globals"
local options = require "gridcentric.util.options"
local origin = require "gridcentric.policy.origin"
local sandbox = require "gridcentric.policy.sandbox"
local schema = require "gridcentric.config.schema"
local script = require "gridcentric.config.script"
local service_name = require "gridcentric.util.service_name"

local policy = { decide = decide }

local LOAD_LIMIT_S = 2 -- processor time that a file may take to be run

-- What a policy file may say, gridcentric.PolicyFile, is described in schema.lua.

---@class gridcentric.App
---@field script string? absolute; of backend "fork"
---@field args string[]?
---@field image string? absolute; of backend "qemu", as what follows
---@field memory integer? MiB
---@field cpus integer?
---@field accel "auto"|"kvm"|"tcg"|nil
---@field network "user"|"tap"|nil
---@field spare integer?
---@field port integer? none: a free one
---@field start_timeout number seconds
---@field dir string the policy file's folder, in which the program runs

---A policy as it is used: a policy file's table with all defaults filled in.
---@class gridcentric.Policy
---@field name string
---@field path string? of the file
---@field listen gridcentric.Address
---@field app gridcentric.App? none inside
---@field backend "fork"|"qemu"|nil none inside
---@field clones { min: integer, max: integer }
---@field scale gridcentric.Scale
---@field plan { tolerance: number, up: gridcentric.Direction, down: gridcentric.Direction }
---@field route gridcentric.Route
---@field health gridcentric.HealthOptions?
---@field drain boolean
---@field victim "fewest"|gridcentric.Victim
---@field on_clone? fun(vmid: integer)
---@field on_event? fun(event: gridcentric.Event)
---@field watch boolean? not inside
---@field shadow gridcentric.Policy? that is only asked
---@field is_dry_run boolean? the shadow is the policy itself, see dry_run.lua
---@field mode "http"|"tcp"
---@field sticky "cookie"|"source"|false
---@field session_timeout number
---@field cookieless_timeout number
---@field count "begun"|"confirmed"
---@field ignore gridcentric.IgnoreKeys?
---@field held { max: integer, timeout: number, status: integer, text: string? }
---@field drain_timeout number
---@field stop_timeout number
---@field limits gridcentric.LimitKeys
---@field metrics table<string, gridcentric.MetricOptions>
---@field on_missing "hold"|"min"|"max"|gridcentric.Scale
---@field admin gridcentric.AdminAddress?

-- Checks what no single type can see, and fills in defaults that depend on other keys.
local function check_together(p)
	local maker = origin.maker(p.on_missing)
	if maker then return nil, ("on_missing: options are missing: %s { ... }"):format(maker) end
	if p.clones.min > p.clones.max then
		return nil, ("clones: min is %d, but max %d"):format(p.clones.min, p.clones.max)
	end
	if p.mode == "tcp" and p.sticky == "cookie" then
		return nil, 'sticky: there are no cookies in tcp mode ("source" or false expected)'
	end
	if p.mode == "tcp" and p.route.per_request then
		return nil, 'route: there are no requests in tcp mode (hash { by = "source" } expected)'
	end
	if p.sticky == nil then p.sticky = p.mode == "http" and "cookie" end
	if p.count == "confirmed" and p.sticky ~= "cookie" then
		return nil, 'count: only cookies are confirmed (sticky = "cookie" expected)'
	end
	if p.mode == "tcp" and p.ignore then
		return nil, "ignore: there are no requests in tcp mode"
	end
	return p
end

-- Reads `app` once more, since the checked one no longer tells which keys were given.
local function check_app(p, given)
	local fields, err = options.fields(given, schema.FILE)
	if not fields then return nil, err end
	local in_app, wrong = options.fields(fields.app, schema.FILE.by_name.app[2].schema)
	if not in_app then return nil, "app: " .. wrong end
	return app.check(p.backend, p.app, in_app)
end

---Checks the table of a policy.
---@param given table
---@param keys? gridcentric.Schema one of schema.lua (FILE)
---@return gridcentric.Policy?
---@return string? err
function policy.check(given, keys)
	local p, err = options.check(keys or schema.FILE, given)
	if not p then return nil, err end
	if p.app then p.app, err = check_app(p, given) end
	if err then return nil, err end
	return check_together(p)
end

-- Many programs have a "policy.lua"; the name of its folder says more.
local function default_name(path)
	local folder, base = path:match("([^/]*)/([^/]*)$")
	local name = base:gsub("%.lua$", "")
	if name == "policy" and folder ~= "" then name = folder end
	return service_name(name)
end

local function is_readable(path)
	local file, err = io.open(path)
	if not file then return nil, err end
	local _, why = file:read(0) -- a folder can be opened
	file:close()
	return not why, why and ("%s: %s"):format(path, why)
end

local function run(path)
	local ok, err = is_readable(path)
	if not ok then return nil, err end
	local env = environment.new(globals,
		("%s: this is a program, not a policy file: name it there, app = { script = %q }"):format(
			path, path:match "[^/]*$"))
	local chunk, syntax_err = loadfile(path, "t", env)
	if not chunk then return nil, syntax_err end
	local done, value = sandbox.call_within(LOAD_LIMIT_S, chunk)
	if not done then return nil, value end
	if type(value) ~= "table" then
		return nil, ("%s: a policy file ends with return { ... }"):format(path)
	end
	return value
end

-- File names in a policy file are relative to its folder.
local function from_folder(dir, name)
	return name:find "^/" and name or dir .. "/" .. name
end

-- A shadow has no shadow of its own.
local function load_shadow(p, is_shadow)
	if is_shadow then return nil end
	return policy.load(from_folder(p.app.dir, p.shadow), true)
end

---Reads and runs a policy file, and that of its shadow.
---@param path string
---@param is_shadow? boolean its own shadow is passed over
---@return gridcentric.Policy?
---@return string? err with the file, and the line if there is one
function policy.load(path, is_shadow)
	local given, err = run(path)
	if not given then return nil, err end
	-- The table may have metamethods of the file's.
	local done, p, wrong = sandbox.call_within(LOAD_LIMIT_S, policy.check, given)
	if not done then return nil, p end
	if not p then return nil, ("%s: %s"):format(path, wrong) end
	p.path = assert(uv.fs_realpath(path))
	p.name = p.name or default_name(p.path)
	p.app.dir = p.path:match("^(.*)/")
	local key = app.file_key(p.backend)
	p.app[key] = from_folder(p.app.dir, p.app[key])
	local ok, missing = is_readable(p.app[key])
	if ok and p.backend == "fork" then ok, missing = script.check(p.app.script) end
	if not ok then return nil, ("%s: app: %s: %s"):format(path, key, missing) end
	if p.shadow then p.shadow, err = load_shadow(p, is_shadow) end
	if err then return nil, err end
	return p
end

return policy
