local clamp = require "gridcentric.policy.clamp"
local during = require "gridcentric.policy.during"
local first_of = require "gridcentric.policy.first_of"
local max_of = require "gridcentric.policy.max_of"
local min_of = require "gridcentric.policy.min_of"
local policy = require "gridcentric.config.load"
local ratio = require "gridcentric.policy.ratio"
local rules = require "gridcentric.policy.rules"
local support = require "spec.support.policy"

local sample = support.sample

-- Asks the rules at the given times and in the given circumstances, as a service would that has at
-- once as many clones as they want.
local function service(text, clones)
	local self = { scale = rules(text), state = {}, clones = clones or 0, now = 1000 }

	-- So many seconds later.
	function self.after(seconds, changes)
		self.now = self.now + seconds
		local values = sample(changes)
		if not (changes and changes.clones) then values.clones = self.clones end
		local desired, reason, code = self.scale(self.now, values, self.state)
		if desired and not (changes and changes.clones) then self.clones = desired end
		return desired, reason, code
	end

	return self
end

-- Whether an expression is true in a sample.
local function is_true(expression, changes)
	local desired, _, code = rules("to 7 when " .. expression)(1000, sample(changes), {})
	if code == "MISSING" then return nil end
	return desired == 7
end

describe("rules", function()
	describe("of change", function()
		it("go up and down from the clones there are", function()
			local s = service("up 2 when held > 0\ndown 1 when sessions == 0", 3)
			assert.same({ 5, "up 2 when held > 0" }, { s.after(0, { held = 1 }) })
			assert.same({ 4, "down 1 when sessions == 0" }, { s.after(1) })
			assert.equal(4, (s.after(1, { sessions = 1 })))
			assert.equal(0, (service("down 5 always", 2).after(0)))
		end)

		it("count the clones that are coming", function()
			local s = service "up 1 always"
			assert.equal(6, (s.after(0, { clones = 2, coming = 3 })))
		end)

		it("go up and down by a share of the clones, rounded up", function()
			for verb, expected in pairs {
				up = { [0] = 1, [1] = 2, [4] = 5, [5] = 7 }, down = { [0] = 0, [1] = 0, [4] = 3, [5] = 3 },
			} do
				for clones, desired in pairs(expected) do
					assert.equal(desired, (service(verb .. " 25% always", clones).after(0)))
				end
			end
		end)

		it("set the number outright", function()
			local s = service "to sessions / 2 always"
			assert.same({ 3, "to sessions / 2 always" }, { s.after(0, { sessions = 5 }) })
			assert.equal(1, (s.after(0, { sessions = 1 })))
			assert.equal(0, (s.after(0, { sessions = 0 })))
		end)

		it("are decided by the first that applies", function()
			local s = service("to 8 when held > 5\nup 1 when held > 0\nto 2 when held == 0", 3)
			assert.equal(4, (s.after(1, { held = 1 })))
			assert.equal(8, (s.after(1, { held = 6 })))
			assert.equal(2, (s.after(1)))
		end)

		it("leave the number as it is if none applies", function()
			local s = service("up 1 when held > 0", 3)
			assert.same({ 3, "no rule has applied yet" }, { s.after(0) })
			s.after(1, { held = 1 })
			assert.same({ 4, "up 1 when held > 0" }, { s.after(1) })
			-- a clone that died is replaced
			assert.equal(4, (s.after(1, { clones = 3 })))
		end)

		it("do not run away while clones cannot be had, or ended", function()
			local s = service "up 1 always"
			for _ = 1, 10 do assert.equal(4, (s.after(1, { clones = 3 }))) end
			s = service "down 1 always"
			for _ = 1, 10 do assert.equal(2, (s.after(1, { clones = 3 }))) end
		end)

		it("never go down to go up, when clones have died", function()
			local s = service("to 6 when held == 0\nup 1 when held > 0", 6)
			assert.equal(6, (s.after(1)))
			assert.equal(6, (s.after(1, { held = 1, clones = 1 })))
		end)

		it("follow each other after a second at the earliest", function()
			local s = service("up 1 when held > 0", 1)
			local seen = {}
			for i = 1, 25 do seen[i] = s.after(0.1, { held = 1 }) end
			assert.equal(2, seen[1])
			assert.equal(2, seen[10])
			assert.equal(3, seen[11])
			assert.equal(4, seen[25])
		end)

		it("may be extreme", function()
			assert.equal(1e9, (service("to 1e300 always").after(0)))
			assert.equal(0, (service("to -1e300 always", 3).after(0)))
			assert.equal("integer", math.type(service("up 1e300 always").after(0)))
		end)

		it("do not apply with an amount that is no number", function()
			assert.equal(1, (service("to sessions / held always", 1).after(0)))
			assert.equal(1, (service("to sessions / held always", 1).after(0, { sessions = 3 })))
		end)
	end)

	describe("with a time for which they hold", function()
		it("apply when their condition was true without a break", function()
			local s = service("to 5 when held > 0 for 3s", 1)
			assert.equal(1, (s.after(0, { held = 1 })))
			assert.equal(1, (s.after(2.9, { held = 1 })))
			assert.equal(5, (s.after(0.1, { held = 1 })))
			s = service("to 5 when held > 0 for 3s", 1)
			for _ = 1, 4 do
				assert.equal(1, (s.after(2.9, { held = 1 })))
				assert.equal(1, (s.after(0.1)))
			end
		end)

		it("go up again and again, each time after that time", function()
			local s = service("up 1 when held > 0 for 3s", 1)
			local changed = {}
			for second = 0, 12 do
				local before = s.clones
				if s.after(1, { held = 1 }) > before then changed[#changed + 1] = second end
			end
			assert.same({ 3, 6, 9, 12 }, changed)
		end)

		it("wait anew after another has gone up or down", function()
			local s = service("up 1 when held > 0\ndown 1 when cpu < 20% for 10s", 3)
			for _ = 0, 8 do assert.equal(3, (s.after(1, { cpu = 0.1 }))) end
			assert.equal(4, (s.after(1, { cpu = 0.1, held = 1 })))
			for _ = 1, 9 do assert.equal(4, (s.after(1, { cpu = 0.1 }))) end
			assert.equal(3, (s.after(1, { cpu = 0.1 })))
		end)
	end)

	describe("of bounds", function()
		it("apply always, wherever they stand", function()
			local s = service "at most 4 always\nto sessions always\nat least 2 always"
			assert.same({ 4, "to sessions always; at most 4 always" }, { s.after(0, { sessions = 9 }) })
			assert.same({ 2, "to sessions always; at least 2 always" }, { s.after(0) })
			assert.same({ 3, "to sessions always" }, { s.after(0, { sessions = 3 }) })
		end)

		it("are all kept; where they exclude each other, at most has its way", function()
			local s = service "at most 9 always\nat most 3 always\nat least 5 always\nat least 2 always"
			assert.equal(3, (s.after(0)))
		end)

		it("change nothing beyond their time", function()
			local s = service("at least 4 when held > 0", 1)
			assert.equal(4, (s.after(1, { held = 1 })))
			assert.equal(1, (s.after(1)))
		end)
	end)

	describe("as a part of other policies", function()
		local function asker(scale)
			local state, now = {}, 1000
			return function(changes)
				now = now + 60
				return scale(now, sample(changes), state)
			end
		end
		local NIGHT, DAY = 1704067200 + 23 * 3600, 1704067200 + 12 * 3600

		it("bound what the others want, where they have limits only", function()
			local ask = asker(min_of { ratio {}, rules [[at most 3 when time in "22:00-06:00 UTC"]] })
			assert.same({ 5, "10 sessions, 2 per clone" }, { ask { sessions = 10, time = DAY } })
			assert.same({ 3, '10 sessions, 2 per clone; at most 3 when time in "22:00-06:00 UTC"' },
				{ ask { sessions = 10, time = NIGHT } })
			assert.equal(1, (ask { sessions = 2, time = NIGHT }))
			assert.equal(0, (ask { sessions = 0, time = NIGHT }))
		end)

		it("want no more than that after a reload, whatever ran then", function()
			local scale = max_of {
				ratio { per_clone = 1 }, rules [[at least 1 when time in "08:00-23:59 UTC"]],
			}
			local ask = asker(scale)
			assert.equal(0, (ask { clones = 7, time = DAY - 8 * 3600 }))
			assert.equal(1, (ask { clones = 7, time = DAY }))
			assert.equal(4, (ask { clones = 7, sessions = 4, time = DAY }))
		end)

		it("bound all kinds of combinations", function()
			local limits = "at least 2 always\nat most 4 always"
			for name, scale in pairs {
				max_of = max_of { ratio {}, rules(limits) },
				min_of = min_of { ratio {}, rules(limits) },
				first_of = first_of { ratio {}, rules(limits) },
				first = first_of { rules(limits), ratio {} },
				clamp = max_of { ratio {}, clamp { max = 9, rules(limits) } },
				during = max_of { ratio {}, during { when = "00:00-24:00", rules(limits) } },
				nested = max_of { ratio {}, max_of { rules(limits), rules "at least 1 always" } },
				functions = max_of { ratio {}, function(...) return rules(limits)(...) end },
			} do
				local ask = asker(scale)
				assert.equal(2, (ask { sessions = 0, time = DAY }), name)
				assert.equal(3, (ask { sessions = 6, time = DAY }), name)
				assert.equal(4, (ask { sessions = 40, time = DAY }), name)
			end
		end)

		it("have an opinion once they went up or down, and while a to applies", function()
			local ask = asker(max_of { 0, rules "up 2 when held > 0\ndown 1 when errors > 0" })
			assert.equal(0, (ask { clones = 5 }))
			assert.equal(7, (ask { clones = 5, held = 1 }))
			assert.equal(7, (ask { clones = 7 }))
			assert.equal(6, (ask { clones = 7, errors = 1 }))
			ask = asker(max_of { ratio {}, rules [[to 4 when time in "22:00-06:00 UTC"]] })
			assert.equal(1, (ask { sessions = 2, clones = 5, time = DAY }))
			assert.equal(4, (ask { sessions = 2, time = NIGHT }))
			assert.equal(1, (ask { sessions = 2, clones = 4, time = DAY }))
		end)

		it("bound the least there is to be, where nothing else has an opinion", function()
			local p = assert(policy.check {
				app = { script = "-" }, clones = { min = 1 },
				scale = max_of { rules "at least 3 when held > 0", rules "at most 5 always" },
			})
			assert.equal(3, (policy.decide(p, 0, sample { held = 1 }, {}, 4)))
			assert.equal(1, (policy.decide(p, 0, sample { held = 0 }, {}, 4)))
		end)
	end)

	describe("compute", function()
		it("with the usual precedence", function()
			assert.is_true(is_true "1 + 2 * 3 == 7")
			assert.is_true(is_true "(1 + 2) * 3 == 9")
			assert.is_true(is_true "10 - 4 - 3 == 3")
			assert.is_true(is_true "12 / 2 / 3 == 2")
			assert.is_true(is_true "-2 * -3 == 6")
			assert.is_true(is_true "1 < 2 and 2 <= 2 and 3 > 2 and 2 >= 2 and 1 ~= 2")
			assert.is_true(is_true "not 1 > 2 and 1 < 2 or 3 < 2")
			assert.is_true(is_true "1 < 2 or 1 < 2 and 3 < 2")
			assert.is_false(is_true "(1 < 2 or 1 < 2) and 3 < 2")
			assert.is_false(is_true "not (1 > 2 or 1 < 2)")
		end)

		it("with units", function()
			assert.is_true(is_true("cpu < 20%", { cpu = 0.19 }))
			assert.is_true(is_true("latency.p95 == 250ms", { latency = { p95 = 0.25 } }))
			assert.is_true(is_true "1.5 m == 90 s and 1h == 60m and 1d == 24h")
			assert.is_true(is_true "1KB == 1000 and 1KiB == 1024 and 2 GiB == 2 * 1024 * 1MiB")
		end)

		it("with the program's own metrics", function()
			assert.is_true(is_true("my.queue_depth / 2 > 5", { my = { queue_depth = 11 } }))
		end)

		it("with no clones: what is divided by none is above all numbers, unless it is none", function()
			assert.is_true(is_true("connections / clones > 2", { connections = 1 }))
			assert.is_false(is_true "connections / clones > 2")
			assert.is_false(is_true "connections / clones <= 2")
		end)

		it("with the time of day", function()
			local noon = 1704067200 + 12 * 3600 -- a Monday
			assert.is_true(is_true('time in "Mon 08:00-18:00 UTC"', { time = noon }))
			assert.is_false(is_true("time in 'Tue UTC'", { time = noon }))
			assert.is_nil(is_true "time in 'Tue UTC'")
		end)

		it("with the past", function()
			local s = service "to 9 when avg(connections, 10s) > 5 and rate(connections, 10s) < 0"
			assert.equal(0, (s.after(0, { connections = 20 })))
			assert.equal(9, (s.after(1, { connections = 10 })))
			s = service "to max(connections, 3s) always"
			assert.equal(7, (s.after(0, { connections = 7 })))
			assert.equal(7, (s.after(3, { connections = 1 })))
			assert.equal(1, (s.after(1, { connections = 1 })))
		end)

		it("with the past of what cannot be divided", function()
			local s = service "to 3 when avg(connections / clones, 30s) > 2"
			assert.equal(0, (s.after(0, { connections = 5, clones = 0 })))
			assert.equal(0, (s.after(1, { connections = 5, clones = 5 })))
			assert.equal(3, (s.after(1, { connections = 50, clones = 5 })))
		end)

		it("with the past of the past", function()
			local s = service "to max(avg(connections, 2s), 10s) always"
			assert.equal(8, (s.after(0, { connections = 8 })))
			assert.equal(8, (s.after(5)))
		end)
	end)

	describe("without a metric", function()
		it("have no number", function()
			local s = service("up 1 when cpu > 80%", 3)
			assert.same({ nil, "metric cpu is missing", "MISSING" }, { s.after(0) })
			s = service("to my.wanted always", 3)
			assert.same({ nil, "metric my.wanted is missing", "MISSING" }, { s.after(0) })
			s = service("up 1 when avg(cpu, 30s) > 80%", 3)
			assert.equal("MISSING", (select(3, s.after(0))))
		end)

		it("do what is sure all the same", function()
			assert.is_true(is_true("held > 0 or cpu > 80%", { held = 1 }))
			assert.is_true(is_true("cpu > 80% or held > 0", { held = 1 }))
			assert.is_nil(is_true "held > 0 or cpu > 80%")
			assert.is_false(is_true "held > 0 and cpu > 80%")
			assert.is_false(is_true "cpu > 80% and held > 0")
			assert.is_nil(is_true("not cpu > 80% and held > 0", { held = 1 }))
			local s = service("up 1 when cpu > 80%\nup 2 when held > 0", 3)
			assert.equal(5, (s.after(0, { held = 1 })))
		end)

		it("keep their bounds: with no clone there is no cpu", function()
			local s = service "at least 1 always\nup 1 when cpu > 80%"
			assert.same({ 1, "no rule has applied yet; at least 1 always" }, { s.after(0) })
		end)

		it("begin to wait anew", function()
			local s = service("to 5 when cpu > 80% for 3s", 1)
			s.after(0, { cpu = 1 })
			assert.is_nil((s.after(2)))
			assert.equal(1, (s.after(1, { cpu = 1 })))
			assert.equal(5, (s.after(3, { cpu = 1 })))
		end)

		it("remember what there was", function()
			local s = service("to 5 when avg(cpu, 30s) > 80%", 1)
			s.after(0, { cpu = 1 })
			assert.equal(5, (s.after(10)))
		end)
	end)

	it("decide the same when played back", function()
		local text = [[
			at least 1 always
			up 1 when connections / clones > 2 for 3s
			up 50% when p95(latency.p95, 10s) > 200ms
			down 1 when avg(cpu, 30s) < 20% for 20s
			to 2 when time in "* 1 * * * UTC"]]
		local function play()
			local s, decisions = service(text), {}
			for i = 0, 2000 do
				local load = 10 + 10 * math.sin(i / 100)
				local desired, reason = s.after(0.4, {
					connections = load // 1, cpu = load / 20, latency = { p95 = load / 80 }, time = i * 4,
				})
				decisions[#decisions + 1] = ("%s %s"):format(desired, reason)
			end
			return decisions
		end
		local first = play()
		assert.same(first, play())
		assert.is_true(#first > 1000)
	end)

	describe("that are wrong", function()
		local function wrong(text) return support.error_of(function() rules(text) end) end

		it("are told with line, column, a caret, and what was expected", function()
			assert.equal('rules: line 2, column 9: "always", "when" or an operator expected, got "whn"\n'
				.. "\t\tup 50% whn held > 0\n"
				.. "\t\t       ^", wrong "at least 1 always\n\tup 50% whn held > 0\n")
			assert.equal("rules: line 1, column 3: a value expected, got the end\n"
				.. "\tup  \n"
				.. "\t  ^", wrong "up  \n\n")
			assert.equal('rules: line 1, column 18: a value expected, got "é"\n'
				.. '\tto 1 when cpu >  é\n'
				.. "\t                 ^", wrong "to 1 when cpu >  é")
		end)

		-- Only the first line of the error, from the place on.
		local function at(text) return (wrong(text):match "^rules: line 1, column (.-)\n") end

		it("lack something", function()
			local rule = "a rule (up, down, to, at least, at most)"
			assert.equal("1: " .. rule .. " expected, got the end", at "")
			assert.equal("3: a value expected, got the end", at "up")
			assert.equal('4: "least" or "most" expected, got "3"', at "at 3 always")
			assert.equal("10: a value expected, got the end", at "to 1 when")
			assert.equal('21: a time as 30s expected, got "3"', at "to 1 when a > 2 for 3")
			assert.equal('19: "for", ' .. rule .. ', an operator or the end expected, got "b"',
				at "to 1 when cpu > 2 b")
			assert.equal('17: ")" or an operator expected, got the end', at "to 1 when (a > 2")
			assert.equal('16: "," or an operator expected, got ")"', at "to 1 when avg(a)")
			assert.equal('11: a value expected, got "up"', at "to 1 when up")
			assert.equal("18: days and times in quotes expected, got the end", at "to 1 when time in ")
		end)

		it("name what is not known", function()
			assert.matches('^11: unknown metric "conections" %(did you mean "connections"', at
				"to 1 when conections > 2")
			assert.matches('^4: unknown metric "my"', at "to my always")
			assert.equal('4: unknown function "mean" (did you mean "avg"?)', at "to mean(cpu, 1s) always")
			assert.equal('18: a unit expected, got "sec"', at "to 1 when cpu > 3sec")
			assert.equal('11: "Mon-", column 5: a day as Mon expected, got the end', at
				"to 1 when time in 'Mon-'")
		end)

		it("make no sense", function()
			assert.equal("11: a condition (as cpu > 80%) expected, got a number", at "to 1 when cpu")
			assert.equal("16: a number expected, got a condition", at "to 1 when (cpu > 1) + 2 > 3")
			assert.equal("4: a number of clones expected", at "up 3s always")
			assert.equal("4: a number of clones expected (a share goes with up and down only)", at
				"to 50% always")
			assert.equal("20: a time above 0 expected", at "to 1 when avg(cpu, 0s) > 1")
			assert.equal("17: the number is too large", at "to 1 when cpu > 1e400")
			assert.equal("23: the number is too large", at "to 1 when cpu > 1 for 1e308d")
		end)

		it("compare a metric with a number that has no unit, or another", function()
			local as_share = "cpu is measured in % of one core: a number with a unit expected, "
				.. "such as 80%"
			assert.equal("17: " .. as_share, at "to 1 when cpu > 80")
			assert.equal("11: " .. as_share, at "to 1 when 80 < cpu")
			assert.equal("17: " .. as_share, at "to 1 when cpu > 2s")
			assert.equal("25: latency.p95 is measured in seconds: a number with a unit expected, "
				.. "such as 200ms", at "to 1 when latency.p95 > 200")
			assert.equal("30: memory is measured in bytes: a number with a unit expected, such as "
				.. "512MB", at "to 1 when max(memory, 10s) > 512")
			assert.equal("18: held is measured in connections: a number without a unit expected", at
				"to 1 when held > 3s")
			for _, right in ipairs {
				"cpu > 0.8", "cpu > 0", "my.x > 3s", "rate(cpu, 10s) > 5", "cpu * 2 > 3", "cpu > sessions",
			} do
				assert.is_function(rules("to 1 when " .. right))
			end
		end)

		it("are nested too deep, or too long", function()
			local deep = ("("):rep(16) .. "1" .. (")"):rep(16)
			assert.is_function(rules("to " .. deep .. " always"))
			assert.equal("21: nested more than 16 deep", at("to (" .. deep .. ") always"))
			assert.equal("1: longer than 65536 bytes", at("to 1 always " .. (" "):rep(65536)))
		end)

		it("are no text", function()
			assert.equal("rules: text expected, got nil", support.error_of(function() rules() end))
		end)
	end)
end)
