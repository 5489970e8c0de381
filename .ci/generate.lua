-- Brings the generated parts of files up to date, or says which are stale:
--
--	lua5.4 .ci/generate.lua [--check]
--
-- `make generate` runs it; spec/project/generated_spec.lua runs it with --check. Each file has a
-- function that gets its text and returns it with the generated parts replaced.

package.path = "lua/?.lua;lua/?/init.lua;.ci/?.lua;" .. package.path

local FILES = {
	["man/gcscale.1"] = require "gcscale_manual",
	["man/gcscale-policy.5"] = require "policy_manual",
	["man/gridcentric.3"] = require "gridcentric_manual",
	["lua/gridcentric/meta/policy.lua"] = require "policy_annotations",
}

local function read(path)
	local file = assert(io.open(path))
	local text = file:read "a"
	file:close()
	return text
end

local function write(path, text)
	local file = assert(io.open(path, "w"))
	assert(file:write(text))
	assert(file:close())
end

local is_check, is_stale = arg[1] == "--check", false
for path, fill in pairs(FILES) do
	local old = read(path)
	local new = fill(old)
	if new ~= old then
		print(path .. (is_check and " is stale: run `make generate`" or ""))
		is_stale = true
		if not is_check then write(path, new) end
	end
end
os.exit(not (is_check and is_stale))
