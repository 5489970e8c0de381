local async = require "spec.support.async"
local watch = require "gridcentric.live.watch"

describe("watch", function()
	local function write(path, text)
		local file = assert(io.open(path, "w"))
		file:write(text)
		file:close()
	end

	-- Watches a file while body(path, is_told) runs; is_told waits until it has changed once more.
	local function watching(body)
		async.run(function(t)
			local path, n, seen = t.tmpdir() .. "/policy.lua", 0, 0
			write(path, "one")
			local close = assert(watch.file(path, function() n = n + 1 end))
			t.defer(close)
			body(t, path, function()
				t.wait_until(function() return n > seen end, 5000, "the change")
				seen = seen + 1
				return n == seen
			end)
		end)
	end

	it("sees a file that is written in place", function()
		watching(function(t, path, is_told)
			write(path, "two")
			assert.is_true(is_told())
			write(path, "three")
			assert.is_true(is_told())
		end)
	end)

	it("sees a file that another replaces", function()
		watching(function(t, path, is_told)
			write(path .. "~", "two")
			assert(os.rename(path .. "~", path))
			assert.is_true(is_told())
			os.remove(path)
			write(path, "three")
			assert.is_true(is_told())
		end)
	end)

	it("tells once of several changes in a row, and nothing of other files", function()
		watching(function(t, path, is_told)
			for i = 1, 20 do
				write(path, "version " .. i)
				write(path .. ".swp", "something")
			end
			assert.is_true(is_told())
			write(path .. ".swp", "else")
			write(path, "the last")
			assert.is_true(is_told())
		end)
	end)

	it("says that there is no such folder", function()
		async.run(function(t)
			local close, err = watch.file("/nowhere/policy.lua", function() end)
			assert.is_nil(close)
			assert.matches("ENOENT", err)
			local looks = 0
			t.wait_until(function() -- luv closes what was opened in a turn of the loop only
				looks = looks + 1
				return looks > 1
			end)
		end)
	end)
end)
