-- How a build of an image ends when it cannot go on.
--
-- It is many steps deep, and any of them may find a tool or a file missing: so, unlike elsewhere,
-- what fails inside raises, and job.start() turns it into nil and a text. Modules of this folder
-- say "raises" where they do.

local failure = {}

---@class gridcentric.ImageFailure
---@field text string
local Failure = {}
Failure.__name = "gridcentric.ImageFailure"
Failure.__tostring = function(self) return self.text end

---@param format string
---@param ... any
function failure.raise(format, ...)
	error(setmetatable({ text = format:format(...) }, Failure), 0)
end

---Its values, if the first one is something; else raises the second one.
---@return any ...
function failure.check(value, err, ...)
	if not value then failure.raise("%s", err) end
	return value, err, ...
end

---The text of a failure; nil for an error of another kind.
---@param err any
---@return string?
function failure.text(err)
	return getmetatable(err) == Failure and err.text or nil
end

return failure
