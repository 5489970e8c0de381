local pool = require "gridcentric.controller.pool"
local usage = require "gridcentric.metrics.usage"

describe("usage", function()
	local now, cpu, memory, reads, read_s, clones, used

	-- So many clones; each has used cpu[pid] seconds and has memory[pid] bytes.
	local function start(n)
		now, cpu, memory, reads, read_s = 100, {}, {}, { cpu = {}, memory = {} }, 0
		used = usage.new {
			now = function() return now end,
			cpu_time = function(pid)
				table.insert(reads.cpu, pid)
				return cpu[pid]
			end,
			private_memory = function(pid)
				table.insert(reads.memory, pid)
				now = now + read_s
				return memory[pid]
			end,
		}
		clones = pool.new()
		for i = 1, n do
			local clone = clones:plan(0)
			clones:serve(clone, i, { ip = "clone" .. i, port = 80, pid = i }, 0)
			cpu[i], memory[i] = 0, i * 1000
		end
	end

	local function step(seconds)
		now = now + seconds
		reads.cpu, reads.memory = {}, {}
		used:step(clones.ready)
	end

	it("is the busy share of a core between two readings, and what is private", function()
		start(2)
		step(1)
		assert.is_nil(usage.measure(clones.ready).cpu)
		cpu[1], cpu[2] = 0.5, 0.25
		step(1)
		assert.equal(0.5, clones.ready[1].cpu)
		assert.same({ cpu = 0.375, memory = 3000, memory_per_clone = 1500 },
			usage.measure(clones.ready))
	end)

	it("is nothing without clones, and unknown before the first reading", function()
		start(0)
		step(1)
		assert.same({ cpu = 0, memory = 0 }, usage.measure(clones.ready))
		start(1)
		assert.same({}, usage.measure(clones.ready))
	end)

	it("takes clones that were not read yet to be like the others", function()
		start(4)
		clones.ready[1].memory = 5000
		assert.equal(20000, usage.measure(clones.ready).memory)
	end)

	it("reads a hundred processor times in a step, by turns", function()
		start(250)
		local seen = {}
		for _ = 1, 5 do
			step(1)
			assert.equal(100, #reads.cpu)
			for _, pid in ipairs(reads.cpu) do seen[pid] = (seen[pid] or 0) + 1 end
		end
		for i = 1, 250 do assert.equal(2, seen[i]) end
	end)

	it("goes on with its turns when clones come and go", function()
		start(250)
		step(1)
		for _ = 1, 50 do clones:move(clones.ready[1], "dead") end
		step(1)
		assert.equal(101, reads.cpu[1])
		assert.equal(200, reads.cpu[100])
	end)

	it("spends a hundredth of the time with reading memory", function()
		start(100)
		read_s = 0.004
		local spent = 0
		for _ = 1, 600 do
			step(1)
			spent = spent + #reads.memory * read_s
			assert.is_true(#reads.memory <= 3)
		end
		assert.is_true(spent > 5 and spent < 7.3)
		for _, clone in ipairs(clones.ready) do assert.is_number(clone.memory) end
	end)

	it("reads the memory of a clone every five seconds at most", function()
		start(3)
		local n = 0
		for _ = 1, 20 do
			step(1)
			n = n + #reads.memory
		end
		assert.equal(12, n)
	end)

	it("passes over a clone whose process is ending", function()
		start(2)
		step(1)
		cpu[1], memory[1] = nil, nil
		cpu[2] = 1
		step(6)
		assert.is_nil(clones.ready[1].cpu)
		assert.equal(1000, clones.ready[1].memory)
		assert.is_true(clones.ready[2].cpu > 0)
	end)

	it("does not keep clones that are gone", function()
		start(3)
		step(1)
		for _ = 1, 3 do clones:move(clones.ready[1], "dead") end
		collectgarbage()
		assert.is_nil(next(used.seen))
	end)
end)
