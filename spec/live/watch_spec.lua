local async = require "spec.support.async"
local watch = require "gridcentric.live.watch"

describe("watch", function()
	local function write(path, text)
		local file = assert(io.open(path, "w"))
		file:write(text)
		file:close()
	end

	-- Watches a file while body(t, path, is_reported) runs. is_reported() waits for a report, and
	-- returns whether it was the only one.
	local function watching(body)
		async.run(function(t)
			local path, n, seen = t.tmpdir() .. "/policy.lua", 0, 0
			write(path, "one")
			local close = assert(watch.file(path, function() n = n + 1 end))
			t.defer(close)
			body(t, path, function()
				t.wait_until(function() return n > seen end, nil, "the change")
				seen = seen + 1
				return n == seen
			end)
		end)
	end

	it("reports a file that is written in place", function()
		watching(function(t, path, is_reported)
			write(path, "two")
			assert.is_true(is_reported())
			write(path, "three")
			assert.is_true(is_reported())
		end)
	end)

	it("reports a file that another replaces", function()
		watching(function(t, path, is_reported)
			write(path .. "~", "two")
			assert(os.rename(path .. "~", path))
			assert.is_true(is_reported())
			os.remove(path)
			write(path, "three")
			assert.is_true(is_reported())
		end)
	end)

	it("reports several changes in a row once, and ignores other files", function()
		watching(function(t, path, is_reported)
			for i = 1, 20 do
				write(path, "version " .. i)
				write(path .. ".swp", "something")
			end
			assert.is_true(is_reported())
			write(path .. ".swp", "else")
			write(path, "the last")
			assert.is_true(is_reported())
		end)
	end)

	it("says that there is no such folder", function()
		async.run(function(t)
			local close, err, code = watch.file("/nowhere/policy.lua", function() end)
			assert.is_nil(close)
			assert.matches("ENOENT", err)
			assert.equal("ENOENT", code)
			local looks = 0
			t.wait_until(function() -- handles are closed by a turn of the loop
				looks = looks + 1
				return looks > 2
			end)
		end)
	end)

	it("does not crash a program that ends before its loop runs", function()
		async.run(function(t)
			for _, path in ipairs { "/nowhere/policy.lua", "/tmp/policy.lua" } do
				local p = t.spawn { "lua5.4", "-e", ([[
					local close = require "gridcentric.live.watch".file(%q, print)
					if close then close() end
					os.exit(7, true)
				]]):format(path) }
				assert.equal(7, (p:wait()))
			end
		end)
	end)
end)
