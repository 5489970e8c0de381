local async = require "spec.support.async"
local parser = require "gridcentric.metrics.exposition_parser"

describe("exposition_parser", function()
	local function one(line)
		local page, err = parser.parse(line)
		return page and page.samples[1], err
	end

	it("reads the example of the format's description", function()
		local page = assert(parser.parse [[
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# A histogram, which has a pretty complex representation in the text format:
# HELP http_request_duration_seconds A histogram of the request duration.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
]])
		assert.equal(9, #page.samples)
		assert.same({ name = "http_requests_total", labels = { method = "post", code = "200" },
			value = 1027, time_ms = 1395066363000 }, page.samples[1])
		assert.same({ path = "C:\\DIR\\FILE.TXT", error = 'Cannot find file:\n"FILE.TXT"' },
			page.samples[3].labels)
		assert.equal(math.huge, page.samples[5].value)
		assert.equal(-3982045, page.samples[5].time_ms)
		assert.same({ type = "counter", help = "The total number of HTTP requests." },
			page.families.http_requests_total)
	end)

	it("reads all that a number may be", function()
		local values = { ["1"] = 1, ["-1.5"] = -1.5, ["+2"] = 2, [".5"] = 0.5, ["1."] = 1, ["1e3"] = 1000,
			["1.5E-3"] = 0.0015, ["+Inf"] = math.huge, ["-Inf"] = -math.huge, ["inf"] = math.huge }
		for text, value in pairs(values) do assert.equal(value, one("a " .. text).value) end
		local nan = one("a NaN").value
		assert.is_true(nan ~= nan)
	end)

	it("is generous with blanks, line ends and commas", function()
		for _, line in ipairs { 'a{x="1"} 2', 'a{ x = "1" , } 2', '\ta {x="1"}\t2 ', 'a{x="1"} 2\r\n' } do
			assert.same({ name = "a", labels = { x = "1" }, value = 2 }, one(line))
		end
		assert.same({ samples = {}, families = {} }, parser.parse "")
		assert.same({ samples = {}, families = {} },
			parser.parse "\n \n#\n# EOF\n#TYPE\n# TYPE a nonsense\n")
	end)

	it("passes over exemplars", function()
		assert.equal(17, one('a_bucket{le="1"} 17 # {trace_id="abc"} 0.67 123.4').value)
	end)

	it("says in which line what was expected", function()
		local function wrong(expected, text)
			local page, err = parser.parse(text)
			assert.is_nil(page)
			assert.equal(expected, err)
		end
		wrong("line 3: a number expected, got the end of the line", "a 1\n# x\nb\nc 1\n")
		wrong('line 1: a number expected, got "<html>"', "a <html>")
		wrong('line 1: a metric\'s name, # or the end of the line expected, got "<html>"', "<html>")
		wrong('line 1: a label\'s value in "quotes" expected, got "1} 2"', "a{x=1} 2")
		wrong('line 2: the end of a label\'s value, " expected, got the end of the line',
			'b 1\na{x="1} 2\n')
		wrong('line 1: the end of a label\'s value, " expected, got "\\\\q\\"} 2"', 'a{x="\\q"} 2')
		wrong('line 1: a label or } expected, got "y=\\"2\\"} 3"', 'a{x="1" y="2"} 3')
		wrong('line 1: a metric\'s name, # or the end of the line expected, got "3"', "a 1 2 3")
	end)

	-- Were it quadratic, the time limit of this file would end it.
	it("takes time in proportion to the text", function()
		local long = 'a{x="' .. ("\\\\"):rep(2000000) .. '"} 1\n'
		local many = ("a{" .. ('x="1",'):rep(20) .. "} 1\n"):rep(5000)
		assert.is_table(parser.parse(long))
		assert.is_table(parser.parse(many))
		assert.is_nil(parser.parse("a{" .. ('x="1",'):rep(500000)))
	end)

	it("never raises, whatever it is given", function()
		math.randomseed(11)
		local bits = { "a", "_total", "{", "}", 'x="', '"', "\\", ",", "=", " 1", "\n", "# TYPE ",
			"NaN", "\0", "é", "# HELP a ", "+", "." }
		for _ = 1, 3000 do
			local text = {}
			for i = 1, math.random(30) do text[i] = bits[math.random(#bits)] end
			local page, err = parser.parse(table.concat(text))
			assert.is_true(page ~= nil or type(err) == "string")
		end
	end)

	it("reads what node exporter says", function()
		async.run(function(t)
			local port = t.free_port()
			local exporter = t.spawn { "prometheus-node-exporter", foreign = true,
				"--web.listen-address=127.0.0.1:" .. port }
			local answer = t.wait_until(function()
				return (t.http { port = port, path = "/metrics" })
			end, nil, "node exporter")
			exporter:stop()
			local page = assert(parser.parse(answer.body))
			assert.is_true(#page.samples > 200)
			local found = {}
			for _, series in ipairs(page.samples) do found[series.name] = series end
			assert.is_true(found.node_load1.value >= 0)
			assert.is_string(found.node_cpu_seconds_total.labels.mode)
			assert.equal("counter", page.families.node_cpu_seconds_total.type)
			assert.equal("gauge", page.families.node_load1.type)
		end)
	end)
end)
