local svg = require "gridcentric.cli.chart.svg"

describe("chart.svg", function()
	local function render(changes)
		local chart = {
			title = "Replay of <day> & night", subtitle = "24 h", from = 0, to = 86400,
			load = { at = { 0, 3600 }, value = { 0, 30 } }, load_title = "Sessions",
			series = {
				{ name = 'a "b"', steps = { at = { 0, 3600 }, value = { 0, 15 } }, values = { "1", "2" } },
				{ name = "c", steps = { at = { 0 }, value = { 0 } }, values = { "3", "4" } },
			},
			titles = { "clone-hours", "held" },
		}
		for key, value in pairs(changes or {}) do chart[key] = value end
		return svg.render(chart)
	end

	-- That each element is closed by its own end.
	local function assert_well_formed(text)
		local open = {}
		for close, name, rest in text:gmatch "<(/?)([%a]+)([^<>]*)>" do
			if close == "/" then
				assert.equal(name, table.remove(open))
			elseif rest:sub(-1) ~= "/" then
				open[#open + 1] = name
			end
		end
		assert.same({}, open)
	end

	it("is well-formed, whatever the names", function()
		local text = render()
		assert_well_formed(text)
		assert.matches("Replay of &lt;day&gt; &amp; night", text, 1, true)
		assert.matches("a &quot;b&quot;", text, 1, true)
	end)

	it("needs nothing beside itself", function()
		local text = render():gsub('xmlns="[^"]*"', "")
		assert.not_matches("http", text)
		assert.not_matches("<script", text)
		assert.not_matches("@import", text)
	end)

	it("goes by what the reader likes", function()
		assert.matches("@media (prefers-color-scheme: dark)", render(), 1, true)
	end)

	it("stays small, however much happens", function()
		local busy = { at = {}, value = {} }
		for i = 1, 100000 do busy.at[i], busy.value[i] = i - 1, i * 7919 % 40 end
		assert.is_true(#render { load = busy, to = 100000 } < 100000)
	end)

	it("has numbers only in its paths", function()
		for path in render():gmatch ' d="([^"]*)"' do assert.matches("^[MHVZ%d. -]+$", path) end
		assert.not_matches("nan", render())
		assert.not_matches("inf", render { load = { at = { 0 }, value = { 0 } }, series = {} })
	end)
end)
