local columns = require "gridcentric.cli.columns"

describe("columns", function()
	local titles = { { title = "NAME" }, { title = "N", right = true }, { title = "TEXT" } }

	it("aligns cells, also with characters of several bytes", function()
		assert.same({
			"NAME      N  TEXT",
			"größer    1  -",
			"x       100  y z",
		}, columns.lay_out(titles, { { "größer", "1", "" }, { "x", "100", "y z" } }))
	end)

	it("cuts lines to the terminal", function()
		assert.same({ "NAME   N…", "größe  1…" },
			columns.lay_out(titles, { { "größe", "1", "a long text" } }, 9))
	end)


	it("wraps texts between words, and words that are too long anywhere", function()
		assert.same({ "  größer", "  als", "  breit" }, columns.wrap("größer als breit", 6, "  "))
		assert.same({ "größ", "er x" }, columns.wrap("größer x", 4))
		assert.same({ "a", "b" }, columns.wrap("ab", 1))
		assert.same({}, columns.wrap("", 5))
	end)
end)
